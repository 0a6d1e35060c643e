// Markdown's second half (CommonMark 0.31, 6): the text of a block becomes words, emphasis, code, links. Plus `~~struck~~`.
//
// Every step is linear in the length of the text: what was looked for once and is not there is not looked for again.

import { emphasise, flanking } from "./emphasis.js";
import { referenceAt } from "./entities.js";
import { addressAt, folded, labelAt, pastSpace, titleAt } from "./references.js";

/** @typedef {import("./references.js").References} References */
/** @typedef {import("./references.js").Target} Target */
/** @typedef {{ type: "text" | "code" | "html" | "break" | "newline" | "emphasis" | "strong" | "struck" | "link" | "image", text: string, children: Inline[], to: string, title: string }} Inline */
/** @typedef {{ at: number, isImage: boolean, active: boolean, from: number }} Bracket where the bracket stands among the pieces, and where the text begins behind it */

const PLAIN = /[^\\`*_~[\]!<&\n]+/y;
const TICKS = /`+/g;
const AUTOLINK = /<([A-Za-z][A-Za-z0-9.+-]{1,31}:[^\s<>]{0,2000})>/y;
const AUTOMAIL = /<([a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,200}@[a-zA-Z0-9][a-zA-Z0-9.-]{0,200})>/y;
const TAG =
  /<(?:[A-Za-z][A-Za-z0-9-]*(?:\s+[A-Za-z_:][\w.:-]*(?:\s*=\s*(?:[^\s"'=<>`]+|'[^']*'|"[^"]*"))?)*\s*\/?|\/[A-Za-z][A-Za-z0-9-]*\s*|![A-Za-z][^>]*)>/y;

/** Opening marks of raw HTML that ends with a mark of its own. */
const SPANS = [
  ["<!--", "-->"],
  ["<?", "?>"],
  ["<![CDATA[", "]]>"],
];

/** A tag that is longer is none: where one may end is looked for from each place where one may begin. */
const TAG_MAX = 2_000;

/** @param {Inline["type"]} type @param {Partial<Inline>} [more] @returns {Inline} */
export function inline(type, more) {
  return { type, text: "", children: [], to: "", title: "", ...more };
}

/** What a text says. @param {string} text @param {References} references */
export function inlines(text, references) {
  return new Reader(text, references).read();
}

class Reader {
  at = 0;
  /** @type {import("./emphasis.js").Piece[]} */
  pieces = [];
  /** @type {Bracket[]} */
  brackets = [];
  /** Runs of backticks by their length: where the last one begins. @type {Map<number, number> | undefined} */
  ticks;
  /** Marks that end something and do not come any more. @type {Set<string>} */
  gone = new Set();

  /** @param {string} text @param {References} references */
  constructor(text, references) {
    this.text = text;
    this.references = references;
  }

  read() {
    while (this.at < this.text.length) this.#one();
    return emphasise(this.pieces, 0);
  }

  /** @param {Inline} node */
  #push(node) {
    this.pieces.push({ node });
  }

  /** @param {string} text */
  #say(text) {
    this.#push(inline("text", { text }));
  }

  /** @param {RegExp} pattern */
  #match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found;
  }

  #one() {
    const plain = this.#match(PLAIN);
    if (plain) return this.#say(plain[0]);
    const char = this.text[this.at];
    switch (char) {
      case "\n":
        return this.#lineEnd();
      case "\\":
        return this.#escape();
      case "`":
        return this.#code();
      case "*":
      case "_":
      case "~":
        return this.#mark(char);
      case "[":
        return this.#open(false);
      case "!":
        if (this.text[this.at + 1] === "[") return this.#open(true);
        break;
      case "]":
        return this.#shut();
      case "<":
        if (this.#angle()) return;
        break;
      case "&": {
        const reference = referenceAt(this.text, this.at);
        if (!reference) break;
        this.at = reference.end;
        return this.#say(reference.char);
      }
    }
    this.at += 1;
    this.#say(char);
  }

  #lineEnd() {
    this.at += 1;
    const last = this.pieces.at(-1)?.node;
    const isHard = last?.type === "text" && last.text.endsWith("  ");
    if (last?.type === "text") last.text = last.text.trimEnd();
    this.#push(inline(isHard ? "break" : "newline"));
    while (this.text[this.at] === " " || this.text[this.at] === "\t") this.at += 1;
  }

  #escape() {
    const next = this.text[this.at + 1];
    this.at += 1;
    if (next === "\n") {
      this.at += 1;
      this.#push(inline("break"));
      while (this.text[this.at] === " ") this.at += 1;
    } else if (next && /[!-/:-@[-`{-~]/.test(next)) {
      this.at += 1;
      this.#say(next);
    } else this.#say("\\");
  }

  #code() {
    const from = this.at;
    let length = 0;
    while (this.text[from + length] === "`") length += 1;
    this.at += length;
    const last = this.#lastTicks(length);
    TICKS.lastIndex = this.at;
    for (let run = last > from ? TICKS.exec(this.text) : null; run; run = TICKS.exec(this.text)) {
      if (run[0].length !== length) continue;
      let text = this.text.slice(this.at, run.index).replaceAll("\n", " ");
      if (/^ .* $/.test(text) && text.trim()) text = text.slice(1, -1);
      this.at = TICKS.lastIndex;
      return this.#push(inline("code", { text }));
    }
    this.#say("`".repeat(length));
  }

  /** Where the last run of so many backticks begins; -1: there is none. @param {number} length */
  #lastTicks(length) {
    if (!this.ticks) {
      this.ticks = new Map();
      for (const run of this.text.matchAll(/`+/g)) this.ticks.set(run[0].length, run.index);
    }
    return this.ticks.get(length) ?? -1;
  }

  /** @param {string} char */
  #mark(char) {
    const from = this.at;
    while (this.text[this.at] === char) this.at += 1;
    const count = this.at - from;
    const piece = { node: inline("text", { text: char.repeat(count) }) };
    // Of tildes only two are a mark: one stands for "about" in what people write.
    const isMark = char !== "~" || count === 2;
    this.pieces.push(isMark ? { ...piece, mark: { char, count, whole: count, ...flanking(this.text, from, this.at) } } : piece);
  }

  /** @param {boolean} isImage */
  #open(isImage) {
    this.at += isImage ? 2 : 1;
    this.brackets.push({ at: this.pieces.length, isImage, active: true, from: this.at });
    this.#say(isImage ? "![" : "[");
  }

  #shut() {
    const end = this.at;
    this.at += 1;
    const bracket = this.brackets.pop();
    const target = bracket?.active ? this.#target(bracket, end) : null;
    if (!bracket || !target) return this.#say("]");
    const children = emphasise(this.pieces.splice(bracket.at), 1);
    this.#push(inline(bracket.isImage ? "image" : "link", { children, ...target }));
    // No link stands in a link.
    if (!bracket.isImage) for (const outer of this.brackets) if (!outer.isImage) outer.active = false;
  }

  /** What a bracket that ends at a place leads to. @param {Bracket} bracket @param {number} end @returns {Target | null} */
  #target(bracket, end) {
    const direct = this.#direct();
    if (direct) return direct;
    const label = labelAt(this.text, this.at);
    const isEmpty = this.text.startsWith("[]", this.at);
    const inner = this.text.slice(bracket.from, end);
    const isLabel = inner.length < 1_000 && labelAt(`[${inner}]`, 0)?.label === inner;
    const name = label ? label.label : isLabel ? inner : null;
    const target = name === null ? undefined : this.references.get(folded(name));
    if (!target) return null;
    if (label) this.at = label.end;
    else if (isEmpty) this.at += 2;
    return target;
  }

  /** `(address "title")`. @returns {Target | null} */
  #direct() {
    if (this.text[this.at] !== "(") return null;
    const address = addressAt(this.text, pastSpace(this.text, this.at + 1));
    if (!address) return null;
    const before = pastSpace(this.text, address.end);
    const title = before > address.end ? titleAt(this.text, before) : null;
    const end = title ? pastSpace(this.text, title.end) : before;
    if (this.text[end] !== ")") return null;
    this.at = end + 1;
    return { to: address.to, title: title?.title ?? "" };
  }

  #angle() {
    const link = this.#match(AUTOLINK);
    const mail = link ? null : this.#match(AUTOMAIL);
    if (link || mail) {
      const [, text] = /** @type {RegExpExecArray} */ (link ?? mail);
      this.#push(inline("link", { to: mail ? `mailto:${text}` : text, children: [inline("text", { text })] }));
      return true;
    }
    const length = this.#span() || this.#tag();
    if (!length) return false;
    this.#push(inline("html", { text: this.text.slice(this.at, this.at + length) }));
    this.at += length;
    return true;
  }

  /** How long the raw HTML is that begins here and has a mark for its end; 0: none. */
  #span() {
    for (const [open, close] of SPANS) {
      if (!this.text.startsWith(open, this.at) || this.gone.has(close)) continue;
      for (const odd of open === "<!--" ? ["<!-->", "<!--->"] : []) if (this.text.startsWith(odd, this.at)) return odd.length;
      const end = this.text.indexOf(close, this.at + open.length);
      if (end >= 0) return end + close.length - this.at;
      this.gone.add(close);
    }
    return 0;
  }

  #tag() {
    TAG.lastIndex = 0;
    const found = TAG.exec(this.text.slice(this.at, this.at + TAG_MAX));
    return found ? found[0].length : 0;
  }
}
