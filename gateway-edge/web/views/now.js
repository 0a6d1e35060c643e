// Now: all that runs at this moment, wherever it was asked, with its words as they come and a stop.

import { h, list, say } from "../dom.js";
import { icon } from "../icons.js";
import { Stream } from "../markdown/stream.js";
import { go, to } from "../router.js";
import { stop } from "../store/gateway.js";
import { titleOf } from "../store/sessions.js";
import { may, state, watch } from "../store/state.js";
import { lasting } from "../time.js";
import { act } from "./act.js";
import { agentName } from "./keys.js";

/** @typedef {import("../store/runs.js").Run} Run */

/** Of a long text its end is what happens now. */
const SHOWN = 900;

export function now() {
  const cards = h("div", { class: "cards" });
  const none = h(
    "div",
    { class: "welcome" },
    h("h2", {}, "Nothing runs"),
    h("p", { class: "soft" }, "When the assistant answers somebody, here or in a chat, its words come here as it writes them."),
  );
  const node = h(
    "section",
    { class: "page now" },
    h("header", { class: "head" }, back(), h("div", {}, h("h1", {}, "Now"), h("p", { class: "soft" }, "What the assistant does at this moment"))),
    h("div", { class: "scroller" }, none, cards),
  );
  document.title = "Now · Gatehouse";
  /** @type {number | undefined} */
  let frame;
  const draw = () => {
    frame = undefined;
    const runs = [...state.runs.values()].sort((a, b) => a.startedAt - b.startedAt);
    list(cards, runs, { key: (run) => run.id, make, update });
    none.hidden = runs.length > 0;
  };
  const close = watch(["runs", "sessions"], () => {
    frame ??= requestAnimationFrame(draw);
  });
  const clock = setInterval(draw, 1_000);
  return {
    node,
    close: () => {
      close();
      clearInterval(clock);
      if (frame) cancelAnimationFrame(frame);
    },
  };
}

export const back = () => h("a", { class: "icon-button only-narrow", ...to("chats"), "aria-label": "Back" }, icon("back"));

/** @type {WeakMap<Element, Stream>} */
const streams = new WeakMap();

/** @param {Run} run */
function make(run) {
  const text = h("div", { class: "text", dir: "auto" });
  const halt = may("chat.abort") ? act("Stop", () => stop(run.sessionKey, run.id), { icon: "stop", class: "small" }) : null;
  const title = h("a", { class: "title", ...to("chat", run.sessionKey) });
  const node = h(
    "article",
    { class: "card" },
    h("header", {}, h("span", { class: "pulse-dot", "aria-hidden": "true" }), h("div", {}, title, h("p", { class: "soft about" })), halt),
    h("p", { class: "soft note" }),
    text,
  );
  text.addEventListener("click", () => go("chat", run.sessionKey));
  streams.set(node, new Stream(text));
  return node;
}

/** @param {Element} node @param {Run} run */
function update(node, run) {
  const part = (/** @type {string} */ which) => /** @type {HTMLElement} */ (node.querySelector(which));
  const row = state.sessions.get(run.sessionKey);
  say(part(".title"), titleOf(row, run.sessionKey));
  say(part(".about"), [agentName(run.agentId), row?.channel, lasting(Date.now() - run.startedAt)].filter(Boolean).join(" · "));
  const tool = run.tools.find(({ output }) => output === null);
  say(part(".note"), run.note || (tool ? `Uses ${tool.name}` : !run.text && run.thinking ? "Thinking" : ""));
  const from = run.text.length > SHOWN ? run.text.indexOf(" ", run.text.length - SHOWN) + 1 : 0;
  streams.get(node)?.show(from ? `… ${run.text.slice(from)}` : run.text);
}
