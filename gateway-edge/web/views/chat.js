// One conversation: its head, what was said, what is being said, and where one says something.

import { h, say } from "../dom.js";
import { icon } from "../icons.js";
import { to } from "../router.js";
import { readOlder } from "../store/conversations.js";
import { call, openSession } from "../store/gateway.js";
import { runsOf } from "../store/runs.js";
import { titleOf } from "../store/sessions.js";
import { may, state, watch } from "../store/state.js";
import { iconButton, problem } from "./act.js";
import { composer } from "./composer.js";
import { itemsOf } from "./items.js";
import { agentName } from "./keys.js";
import { updateItem } from "./message.js";
import { rowsIn } from "./rows.js";
import { patch, sessionMenu } from "./session.js";

/** How near to the end somebody is who follows what is said. */
const NEAR_END = 80;

/** How far from the beginning older rows are read, in pixels: they are there before somebody who scrolls fast is. */
const NEAR_BEGINNING = 1_500;

/** @param {string} key */
export function chat(key) {
  const title = h("h1", {});
  const about = h("p", { class: "soft" });
  const more = iconButton("more", "What to do with this conversation", (event) => sessionMenu(/** @type {HTMLElement} */ (event.currentTarget), key));
  const head = h(
    "header",
    { class: "head" },
    h("a", { class: "icon-button only-narrow", ...to("chats"), "aria-label": "All conversations" }, icon("list")),
    h("div", {}, title, about),
    more,
  );
  const rows = h("div", { class: "rows", role: "log", "aria-label": "Conversation", "aria-live": "polite" });
  const welcome = h(
    "div",
    { class: "welcome", hidden: true },
    h("h2", {}, "How can I help?"),
    h("p", { class: "soft" }, "Write below. A slash shows what the gateway itself can do."),
  );
  const trouble = h("div", {});
  const scroller = h("div", { class: "scroller", tabindex: -1 }, trouble, welcome, rows);
  const shown = rowsIn(scroller, rows);
  const down = iconButton("down", "To the newest", () => toEnd(true), "down");
  const writing = composer(key);
  const node = h("section", { class: "chat" }, head, scroller, h("div", { class: "foot" }, down, writing.node));

  let follows = true;
  const toEnd = (/** @type {boolean} */ smoothly) => {
    follows = true;
    scroller.scrollTo({ top: scroller.scrollHeight, behavior: smoothly ? "smooth" : "instant" });
  };
  scroller.addEventListener(
    "scroll",
    () => {
      follows = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END;
      down.classList.toggle("shown", !follows);
      if (scroller.scrollTop < NEAR_BEGINNING) older();
    },
    { passive: true },
  );
  // Whatever grows, a text that comes or a picture that is loaded: who follows goes on following.
  const growth = new ResizeObserver(() => follows && toEnd(false));
  growth.observe(rows);
  growth.observe(scroller);

  const older = async () => {
    const conversation = state.conversations.get(key);
    if (!conversation || conversation.more === null || conversation.loadingOlder) return;
    const [height, top] = [scroller.scrollHeight, scroller.scrollTop];
    await readOlder(call, key);
    requestAnimationFrame(() => {
      if (!follows) scroller.scrollTop = top + scroller.scrollHeight - height;
    });
  };

  /** @type {number | undefined} */
  let frame;
  /** Whether more than the words of what runs is other than what is drawn. */
  let isWhole = true;
  /** @type {import("./rows.js").Live} */
  let live = new Map();

  const draw = () => {
    frame = undefined;
    const runs = runsOf(key);
    // A long conversation is not gone through for each word that comes.
    if (!isWhole && runs.length === live.size && runs.every((run) => live.has(run.id))) {
      for (const { node, item } of live.values()) updateItem(node, item);
    } else drawAll();
    isWhole = false;
    if (follows) toEnd(false);
  };
  const drawAll = () => {
    const conversation = state.conversations.get(key);
    const items = itemsOf(key);
    live = shown.draw(items);
    const isFresh = conversation !== undefined && conversation.cursor !== null;
    welcome.hidden = items.length > 0 || !isFresh;
    rows.classList.toggle("waits", !isFresh && items.length === 0);
    trouble.replaceChildren(...(conversation?.error ? [problem(conversation.error, () => openSession(key))] : []));
  };
  // What streams is drawn with the screen, not with each piece of it.
  const soon = () => {
    frame ??= requestAnimationFrame(draw);
  };
  const all = () => {
    isWhole = true;
    soon();
  };
  let isReading = false;
  const drawHead = () => {
    const row = state.sessions.get(key);
    const words = titleOf(row, key);
    say(title, words);
    document.title = state.place[0] === "now" || state.place[0] === "gateway" ? "Gatehouse" : `${words} · Gatehouse`;
    const parts = [agentName(row?.agentId ?? key.split(":")[1]), row?.channel, row?.model].filter(Boolean);
    say(about, parts.join(" · "));
    if (row?.unread && !document.hidden && !isReading && may("sessions.patch")) {
      isReading = true;
      patch(key, { unread: false })
        .catch(() => undefined)
        .finally(() => (isReading = false));
    }
  };
  const stops = [watch(["conversation", "outbox", "condition"], all), watch(["runs"], soon), watch(["sessions", "catalog"], drawHead)];
  document.addEventListener("visibilitychange", drawHead);
  openSession(key);
  const close = () => {
    for (const stop of stops) stop();
    document.removeEventListener("visibilitychange", drawHead);
    growth.disconnect();
    shown.close();
    writing.close();
    if (frame) cancelAnimationFrame(frame);
  };
  return { node, close };
}
