// Markdown that grows. What is complete is drawn once; only the last block, which may still become something else, is drawn again.

import { blocks } from "./blocks.js";
import { draw } from "./render.js";

/** @typedef {import("./references.js").References} References */

/** How much of the time may be spent on drawing: a part of it, so that the rest of the page moves. */
const SHARE = 4;

export class Stream {
  /** @type {References} */
  #references = new Map();
  #text = "";
  /** Where the block begins that is not complete. */
  #from = 0;
  /** @type {Node[]} the nodes of that block */
  #tail = [];
  /** Not before this moment is it worth to draw again. */
  #next = 0;
  /** @type {number | undefined} */
  #timer;

  /** @param {Element} root */
  constructor(root) {
    this.root = root;
  }

  /** Shows a text that is mostly the one before and more. @param {string} text */
  show(text) {
    if (text === this.#text) return;
    if (!text.startsWith(this.#text.slice(0, this.#from))) this.#begin();
    this.#text = text;
    const now = performance.now();
    if (now >= this.#next) return this.#draw(now);
    this.#timer ??= setTimeout(() => this.#draw(performance.now()), this.#next - now);
  }

  #begin() {
    this.#from = 0;
    this.#tail = [];
    this.#references = new Map();
    this.root.replaceChildren();
  }

  /** @param {number} now */
  #draw(now) {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const open = this.#text.slice(this.#from);
    const { children } = blocks(open, this.#references);
    const last = children.at(-1);
    for (const node of this.#tail) /** @type {ChildNode} */ (node).remove();
    for (const block of children.slice(0, -1)) this.root.append(...draw(block, this.#references));
    this.#tail = last ? draw(last, this.#references) : [];
    this.root.append(...this.#tail);
    if (last) this.#from += offset(open, last.from);
    this.#next = now + (performance.now() - now) * SHARE;
  }
}

/** Where a line begins. @param {string} text @param {number} line */
function offset(text, line) {
  let at = 0;
  for (let passed = 0; passed < line; passed += 1) {
    const end = /\r\n|\n|\r/g;
    end.lastIndex = at;
    end.exec(text);
    at = end.lastIndex;
  }
  return at;
}
