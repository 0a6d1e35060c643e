// What the parts of the gateway's place are put together from.

import { fill, h } from "../../dom.js";
import { state, watch } from "../../store/state.js";
import { problem } from "../act.js";

/** @typedef {import("../../dom.js").Child} Child */
/** @typedef {import("../shell.js").View} View */

/**
 * A part that is read from the gateway and drawn: when it is opened, when the connection is back, and when something says so.
 * @template T
 * @param {() => Promise<T>} read
 * @param {(value: T, again: () => Promise<void>) => Child[]} draw
 * @param {import("../../store/state.js").Part[]} [parts] what of the state is a reason to read again
 * @returns {View & { again: () => Promise<void> }}
 */
export function part(read, draw, parts = []) {
  const node = h("div", { class: "sections", "aria-busy": "true" });
  let isOpen = true;
  const again = async () => {
    try {
      const value = await read();
      if (isOpen) fill(node, ...draw(value, again));
    } catch (error) {
      // What is on the screen is older than one would like, and better than nothing.
      if (isOpen && state.condition.state === "open") fill(node, problem(error, again));
    }
    node.setAttribute("aria-busy", "false");
  };
  const stop = watch(["condition", ...parts], () => {
    if (state.condition.state === "open") again();
  });
  return {
    node,
    again,
    close: () => {
      isOpen = false;
      stop();
    },
  };
}

/** @param {string} title @param {...(Child | Child[])} children */
export const section = (title, ...children) => h("section", {}, h("h2", {}, title), ...children);

/** Rows in a frame, or a word when there is none. @param {Node[]} rows @param {string} none */
export function panel(rows, none) {
  return h("div", { class: "panel" }, ...(rows.length ? rows : [h("p", { class: "empty" }, none)]));
}

/** One row: how it is, what it is called, what is known of it, what can be done.
 * @param {"good" | "fair" | "bad" | "none" | null} light @param {string} name @param {(string | number | null | undefined | false)[]} facts @param {...Child} buttons */
export function row(light, name, facts, ...buttons) {
  const word = light && { good: "well", fair: "in part", bad: "not well", none: "off" }[light];
  return h(
    "div",
    { class: "row" },
    light && h("span", { class: `light ${light}` }, h("span", { class: "off-screen" }, word)),
    h("div", {}, h("bdi", { class: "name" }, name), h("div", { class: "facts" }, facts.filter(Boolean).join(" · "))),
    buttons.some(Boolean) ? h("div", { class: "buttons" }, ...buttons) : null,
  );
}
