// A run on the screen while it goes on: its thinking, its tools, its text as it comes.

import { fill, h, list, say } from "../dom.js";
import { Stream } from "../markdown/stream.js";
import { state } from "../store/state.js";
import { author } from "./message.js";
import { thought, toolRow } from "./tools.js";

/** @typedef {import("../store/runs.js").Run} Run */

export class LiveRun {
  #text = h("div", { class: "text streams", dir: "auto" });
  #tools = h("div", { class: "tools" });
  #note = h("p", { class: "note" }, h("span", { class: "dots", "aria-hidden": "true" }), h("span", { class: "word" }));
  #stream = new Stream(this.#text);
  /** @type {HTMLElement | null} */
  #thinking = null;

  /** @param {HTMLElement} node @param {import("./items.js").RunItem} item */
  constructor(node, { run, first }) {
    // The row that it becomes is what a screen reader hears: the pieces would be a stutter.
    node.setAttribute("aria-live", "off");
    node.setAttribute("aria-busy", "true");
    node.classList.add("answered");
    node.classList.toggle("first", first);
    fill(node, first && author(run.agentId), this.#tools, this.#text, this.#note);
    this.node = node;
  }

  /** @param {Run} run */
  show(run) {
    this.#showThinking(run.thinking);
    const tools = unwritten(run);
    list(this.#tools, tools, {
      key: (tool) => `${tool.id}${tool.output === null ? "" : "!"}`,
      make: (tool) => toolRow(tool),
    });
    this.#stream.show(run.text);
    const isSilent = !run.text && !run.thinking;
    this.#note.classList.toggle("quiet-now", !isSilent && !run.note);
    const word = /** @type {HTMLElement} */ (this.#note.querySelector(".word"));
    say(word, run.note || (isSilent ? "" : ""));
  }

  /** @param {string} text */
  #showThinking(text) {
    if (!text) {
      this.#thinking?.remove();
      this.#thinking = null;
      return;
    }
    if (!this.#thinking) {
      this.#thinking = thought("", true);
      this.node.insertBefore(this.#thinking, this.#tools);
    }
    const words = /** @type {HTMLElement} */ (this.#thinking.querySelector(".words"));
    say(words, text);
  }
}

/** The tools of a run that no row of the transcript shows yet. @param {Run} run */
function unwritten(run) {
  if (run.tools.length === 0) return [];
  const rows = state.conversations.get(run.sessionKey)?.rows ?? [];
  const known = new Set(rows.flatMap((row) => (Array.isArray(row.content) ? row.content.map((block) => block.id) : [])));
  return run.tools.filter((tool) => !known.has(tool.id));
}
