// The log of all services, with a filter, as it is written.

import { h } from "../../dom.js";
import { visible } from "../../markdown/links.js";
import { call } from "../../store/gateway.js";
import { state, watch } from "../../store/state.js";
import { problem } from "../act.js";

/** Lines that are kept: more is what files are for. */
const LINES_MAX = 2_000;

/** How often the gateway is asked for newer ones. */
const FOLLOW_MS = 1_500;

/** @type {{[level: string]: number}} */
const RANKS = { trace: 0, debug: 1, info: 2, warn: 3, error: 4 };

export function logs() {
  /** @type {number | undefined} */
  let cursor;
  let isOpen = true;
  let isReading = false;
  /** @type {number | undefined} */
  let timer;
  const lines = h("ol", { class: "lines", tabindex: 0, "aria-label": "Lines of the log" });
  const search = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter the lines", onInput: () => filter() });
  const level = h(
    "select",
    { "aria-label": "Least level", onChange: () => filter() },
    ...["debug", "info", "warn", "error"].map((each) => h("option", { value: each, selected: each === "info" }, each)),
  );
  const follow = h("input", { type: "checkbox", checked: true, onChange: () => read() });
  const node = h("div", { class: "logs" }, h("div", { class: "filters" }, search, level, h("label", {}, follow, "Follow")), lines);

  const fits = (/** @type {HTMLElement} */ line) =>
    (RANKS[line.dataset.level ?? ""] ?? 2) >= RANKS[level.value] &&
    (line.textContent ?? "").toLowerCase().includes(search.value.trim().toLowerCase());
  const filter = () => {
    for (const line of lines.children) /** @type {HTMLElement} */ (line).hidden = !fits(/** @type {HTMLElement} */ (line));
    lines.scrollTop = lines.scrollHeight;
  };
  const read = async () => {
    clearTimeout(timer);
    if (!isOpen || isReading) return;
    if (state.condition.state === "open") {
      isReading = true;
      try {
        const page = await call("logs.tail", cursor === undefined ? { limit: 500 } : { cursor });
        if (page.reset) lines.replaceChildren();
        cursor = page.cursor;
        add(page.lines ?? []);
      } catch (error) {
        lines.replaceChildren(h("li", {}, problem(error, read)));
        return;
      } finally {
        isReading = false;
      }
    }
    if (follow.checked && isOpen) timer = setTimeout(read, FOLLOW_MS);
  };
  const add = (/** @type {string[]} */ texts) => {
    const isAtEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    const fresh = texts.map(line).filter((line) => line !== null);
    for (const each of fresh) each.hidden = !fits(each);
    lines.append(...fresh);
    while (lines.childElementCount > LINES_MAX) lines.firstElementChild?.remove();
    if (fresh.length && isAtEnd) requestAnimationFrame(() => (lines.scrollTop = lines.scrollHeight));
  };
  // At once, and not at the next look, when the gateway greets this browser only after the page was opened.
  const stop = watch(["condition"], () => {
    if (cursor === undefined) read();
  });
  return {
    node,
    close: () => {
      stop();
      isOpen = false;
      clearTimeout(timer);
    },
  };
}

/** @param {string} text */
function line(text) {
  let { time, level, subsystem, message } = /** @type {{[name: string]: string}} */ ({ message: text });
  try {
    ({ time, level, subsystem, message = text } = JSON.parse(text));
  } catch {
    // A line that is no JSON is shown as it is.
  }
  // What a program says to a terminal has empty lines, which say nothing here.
  if (!message.trim()) return null;
  const at = time ? new Date(time).toLocaleTimeString() : "";
  const kind = (level ?? "info").toLowerCase();
  return h(
    "li",
    { class: kind, "data-level": kind },
    h("time", {}, at),
    h("span", { class: "level" }, kind),
    h("span", { class: "who" }, subsystem ?? ""),
    h("span", { class: "text-of" }, visible(message)),
  );
}
