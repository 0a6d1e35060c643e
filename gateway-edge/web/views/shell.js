// The frame of the page for who is signed in: the list at the side, the place that is shown, and a word while the gateway is away.

import { fill, h, set } from "../dom.js";
import { icon } from "../icons.js";
import { to } from "../router.js";
import { dialNow } from "../store/gateway.js";
import { state, watch } from "../store/state.js";
import { chat } from "./chat.js";
import { mainKey } from "./keys.js";
import { sidebar } from "./sidebar.js";

/** @typedef {{ node: Node, close: () => void }} View */

/** The places beside a chat. They are loaded when somebody goes there. @type {{[name: string]: (rest: string[]) => Promise<View>}} */
const PLACES = {
  now: async () => (await import("./now.js")).now(),
  gateway: async (rest) => (await import("./gateway/index.js")).gateway(rest),
};

/** As style/shell.css has it. */
const NARROW = "(max-width: 46rem)";

export function shell() {
  const main = h("main", { id: "main", tabindex: -1 });
  const banner = h("div", { class: "banner", role: "status", hidden: true });
  const side = sidebar();
  const frame = h("div", { class: "frame" }, banner, main);
  const node = h("div", { class: "shell" }, h("a", { class: "skip", href: "#main" }, "To the conversation"), side.node, frame);

  /** @type {View | undefined} */
  let view;
  let shown = "";
  const show = async () => {
    const [first = "", ...rest] = state.place;
    node.dataset.place = first === "chats" ? "list" : "main";
    // On a narrow screen the list is a place of its own.
    set(side.node, { role: first === "chats" && matchMedia(NARROW).matches ? "main" : "complementary" });
    // On a wide screen the list is always there, with the conversation beside it.
    const key = first === "chat" && rest[0] ? rest[0] : mainKey();
    const name = PLACES[first] ? `${first}/${rest.join("/")}` : `chat/${key}`;
    if (name === shown) return;
    shown = name;
    const made = PLACES[first] ? await PLACES[first](rest).catch(anew) : chat(key);
    if (name !== shown) return made.close();
    view?.close();
    view = made;
    fill(main, made.node);
  };
  const stops = [watch(["place", "catalog"], show), watch(["condition"], () => away(banner))];
  const close = () => {
    for (const stop of stops) stop();
    side.close();
    view?.close();
  };
  return { node, close };
}

/** A part of the page could not be loaded: the gateway has another version of it by now, or is away. @returns {View} */
function anew() {
  const node = h(
    "div",
    { class: "welcome" },
    h("h1", {}, "This page is older than the gateway"),
    h("button", { type: "button", onClick: () => location.reload() }, "Load it anew"),
  );
  return { node, close: () => undefined };
}

/** @type {number | undefined} */
let hesitation;

/** A short loss is nobody's business: the word comes when it lasts. @param {HTMLElement} banner */
function away(banner) {
  const { condition } = state;
  clearTimeout(hesitation);
  if (condition.state === "open") {
    banner.hidden = true;
    return;
  }
  const say = () => {
    const waits = condition.state === "pairing";
    const word = waits ? "This browser waits to be let in again." : "The gateway is away. What you write is kept and sent when it is back.";
    fill(banner, icon(waits ? "lock" : "alert"), h("span", {}, word), h("button", { type: "button", class: "small", onClick: dialNow }, "Try now"));
    banner.hidden = false;
  };
  if (banner.hidden) hesitation = setTimeout(say, 700);
  else say();
}

/** The places of the page, for the foot of the list. */
export function places() {
  const link = (/** @type {string[]} */ place, /** @type {import("../icons.js").Icon} */ name, /** @type {string} */ label) =>
    h("a", { ...to(...place), "data-place": place[0] ?? "chat" }, icon(name), h("span", {}, label));
  return h(
    "nav",
    { class: "places", "aria-label": "Places" },
    link([], "bubble", "Chat"),
    link(["now"], "pulse", "Now"),
    link(["gateway"], "gear", "Gateway"),
  );
}
