// The list of sessions: it moves with what happens, and everything that can be done to a session is one tap away.

import { h, list, say, set } from "../dom.js";
import { icon } from "../icons.js";
import { key } from "../protocol/outbox.js";
import { go, to } from "../router.js";
import { call } from "../store/gateway.js";
import { readSessions, sorted, titleOf } from "../store/sessions.js";
import { may, state, watch } from "../store/state.js";
import { brief } from "../time.js";
import { attempt, iconButton } from "./act.js";
import { mainKey } from "./keys.js";
import { sessionMenu } from "./session.js";
import { places } from "./shell.js";

/** @typedef {import("../protocol/types.js").SessionRow} SessionRow */

/** How long somebody types before the gateway is asked. */
const SEARCH_MS = 200;

export function sidebar() {
  let archived = false;
  let search = "";
  /** @type {number | undefined} */
  let timer;
  const items = h("ul", { class: "sessions" });
  const field = h("input", {
    type: "search",
    placeholder: "Search",
    "aria-label": "Search conversations",
    onInput: () => {
      search = field.value.trim().toLowerCase();
      draw();
      clearTimeout(timer);
      if (search) timer = setTimeout(() => readSessions(call, { search, archived }).catch(() => undefined), SEARCH_MS);
    },
  });
  const shelf = h("button", {
    type: "button",
    class: "quiet small shelf",
    onClick: () => {
      archived = !archived;
      attempt(() => readSessions(call, { archived }));
      draw();
    },
  });
  const more = h(
    "button",
    { type: "button", class: "quiet small", onClick: () => attempt(() => readSessions(call, { offset: state.sessionsMore })) },
    "Show older ones",
  );
  const begin = iconButton("plus", "New conversation", beginSession);
  const mark = h("span", { class: "count", hidden: true });
  const nav = places();
  nav.querySelector('[data-place="gateway"]')?.append(mark);
  const brand = h(
    "a",
    { class: "brand", ...to() },
    h("img", { src: new URL("../icon.svg", import.meta.url).pathname, alt: "", width: 26, height: 26 }),
    "Gatehouse",
  );
  const node = h(
    "div",
    { class: "side", role: "complementary", "aria-label": "Conversations" },
    h("h1", { class: "off-screen" }, "Conversations"),
    h("div", { class: "top" }, brand, begin),
    h("div", { class: "search" }, icon("search"), field),
    h("div", { class: "scroll" }, items, more, shelf),
    nav,
  );

  const draw = () => {
    const rows = sorted(archived).filter((row) => !search || matches(row, search));
    list(items, rows, { key: (row) => row.key, make, update });
    more.hidden = state.sessionsMore === 0 || archived || search !== "";
    say(shelf, archived ? "Back to the conversations" : "Archived ones");
    shelf.hidden = search !== "";
    begin.hidden = !may("sessions.create");
    mark.hidden = state.requests === 0;
    say(mark, String(state.requests));
    for (const link of nav.querySelectorAll("a")) {
      const place = state.place[0] === "now" || state.place[0] === "gateway" ? state.place[0] : "chat";
      set(link, { "aria-current": link.dataset.place === place ? "page" : null });
    }
  };
  const close = watch(["sessions", "place", "condition", "requests"], draw);
  return { node, close };
}

/** @param {SessionRow} row @param {string} search */
function matches(row, search) {
  return [titleOf(row), row.label, row.key, row.lastMessagePreview].some((text) => text?.toLowerCase().includes(search));
}

/** What stands in an item, and of what it was drawn: a list of thousands is not looked through for each word of one of them.
 * @typedef {{ link: HTMLElement, title: HTMLElement, signs: HTMLElement, time: HTMLElement, last: HTMLElement, of: string, row: SessionRow | null }} Parts
 * @type {WeakMap<HTMLLIElement, Parts>} */
const drawn = new WeakMap();

/** @param {SessionRow} row */
function make(row) {
  const more = iconButton("more", "What to do with it", (event) => sessionMenu(/** @type {HTMLElement} */ (event.currentTarget), row.key), "quiet");
  const [title, last] = [h("bdi", { class: "title" }), h("bdi", { class: "last" })];
  const [signs, time] = [h("span", { class: "signs" }), h("time")];
  const link = h("a", { ...to("chat", row.key) }, h("span", { class: "line" }, title, signs, time), last);
  const item = h("li", {}, link, more);
  drawn.set(item, { link, title, signs, time, last, of: "", row: null });
  return item;
}

/** @param {HTMLLIElement} item @param {SessionRow} row */
function update(item, row) {
  const parts = /** @type {Parts} */ (drawn.get(item));
  const runs = row.hasActiveRun || [...state.runs.values()].some((run) => run.sessionKey === row.key);
  const isOpen = state.place[0] === "chat" ? state.place[1] === row.key : !state.place.length && row.key === mainKey();
  const sign = runs ? "running" : row.unread && !isOpen ? "unread" : row.pinned ? "pinned" : "";
  const when = brief(row.lastInteractionAt ?? row.updatedAt);
  const of = `${isOpen} ${sign} ${when}`;
  if (parts.row === row && parts.of === of) return;
  Object.assign(parts, { row, of });
  say(parts.title, titleOf(row));
  say(parts.last, plainly(row.lastMessagePreview ?? row.channel ?? ""));
  say(parts.time, when);
  item.classList.toggle("runs", runs);
  item.classList.toggle("unread", row.unread && !isOpen);
  item.classList.toggle("pinned", row.pinned);
  set(parts.link, { "aria-current": isOpen ? "page" : null });
  if (parts.signs.dataset.sign === sign) return;
  parts.signs.dataset.sign = sign;
  parts.signs.replaceChildren(...(sign === "pinned" ? [icon("pin")] : []), ...(sign ? [h("span", { class: "off-screen" }, sign)] : []));
}

async function beginSession() {
  await attempt(async () => {
    const { key: made } = await call("sessions.create", { idempotencyKey: key() });
    go("chat", made);
  });
}

/** The first words of a message without the marks of Markdown. @param {string} text */
function plainly(text) {
  return text
    .replace(/[*_`~#>|]+/g, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\s+/g, " ")
    .trim();
}
