// What the assistant thinks and does on its way to an answer: folded, one line each, and all of it for who opens it.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { visible } from "../markdown/links.js";

/** Of what a tool was told or answered so much is shown. */
const SHOWN_MAX = 20_000;

/** @param {string} text @param {boolean} [isLive] */
export function thought(text, isLive = false) {
  return h(
    "details",
    { class: isLive ? "thought live" : "thought" },
    h("summary", {}, icon("thought"), isLive ? "Thinking" : "Thoughts", icon("chevron")),
    h("div", { class: "words", dir: "auto" }, visible(text)),
  );
}

/** @param {{ name: string, input: unknown, output: string | null, failed: boolean }} tool */
export function toolRow({ name, input, output, failed }) {
  const state = output === null ? "runs" : failed ? "failed" : "done";
  const word = { runs: "at work", failed: "failed", done: "done" }[state];
  const brief = hint(input);
  const line = h(
    "summary",
    {},
    icon(state === "done" ? "check" : state === "failed" ? "alert" : "tool"),
    h("strong", {}, name),
    brief && h("span", { class: "hint" }, visible(brief)),
    h("span", { class: "state" }, word),
    icon("chevron"),
  );
  const part = (/** @type {string} */ label, /** @type {string} */ text) =>
    text && [h("h3", {}, label), h("pre", { tabindex: 0, dir: "ltr" }, visible(cut(text)))];
  const told = input === null || input === undefined ? "" : typeof input === "string" ? input : JSON.stringify(input, null, 2);
  return h("details", { class: `tool ${state}` }, line, part("Asked", told === "{}" ? "" : told) || null, part("Answered", output ?? "") || null);
}

/** @param {string} text */
function cut(text) {
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}\n… ${text.length - SHOWN_MAX} more characters` : text;
}

/** The first thing that a tool was told, if it is short enough for a line. @param {unknown} input */
function hint(input) {
  if (!input || typeof input !== "object") return "";
  const value = Object.values(input).find((value) => typeof value === "string");
  return typeof value === "string" ? value.replace(/\s+/g, " ").slice(0, 120) : "";
}
