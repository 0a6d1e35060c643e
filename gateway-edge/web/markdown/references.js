// Link reference definitions (CommonMark 4.7), and the parts of links that definitions and inline links share.

/** @typedef {{ to: string, title: string }} Target */
/** @typedef {Map<string, Target>} References */

import { unescaped } from "./entities.js";

/** CommonMark 4.7: labels are no longer than this. */
const LABEL_MAX = 999;

/** Longer titles are none: the end of one is looked for from each place where one may begin. */
const TITLE_MAX = 2_000;

/** Parentheses in each other in an address: as other readers of Markdown have it. */
const PARENS_MAX = 32;

/** Labels that differ in case or spaces alone are the same. @param {string} label */
export function folded(label) {
  return label
    .trim()
    .replace(/[ \t\r\n]+/g, " ")
    .toLowerCase()
    .toUpperCase();
}

/** `[label]` at a place. @param {string} text @param {number} at @returns {{ label: string, end: number } | null} */
export function labelAt(text, at) {
  if (text[at] !== "[") return null;
  const last = Math.min(text.length, at + LABEL_MAX + 2);
  for (let end = at + 1; end < last; end += 1) {
    if (text[end] === "\\") end += 1;
    else if (text[end] === "[") return null;
    else if (text[end] === "]") {
      const label = text.slice(at + 1, end);
      return label.trim() ? { label, end: end + 1 } : null;
    }
  }
  return null;
}

/** The address of a link at a place. @param {string} text @param {number} at @returns {{ to: string, end: number } | null} */
export function addressAt(text, at) {
  if (text[at] === "<") {
    for (let end = at + 1; end < text.length; end += 1) {
      if (text[end] === "\\") end += 1;
      else if (text[end] === "\n" || text[end] === "<") return null;
      else if (text[end] === ">") return { to: unescaped(text.slice(at + 1, end)), end: end + 1 };
    }
    return null;
  }
  let open = 0;
  let end = at;
  for (; end < text.length; end += 1) {
    const char = text[end];
    if (char === "\\" && /[!-/:-@[-`{-~]/.test(text[end + 1] ?? "")) end += 1;
    else if (char === "(") {
      open += 1;
      if (open > PARENS_MAX) return null;
    } else if (char === ")") {
      if (open === 0) break;
      open -= 1;
    } else if (char <= " " || char === "\x7f") break;
  }
  return open === 0 ? { to: unescaped(text.slice(at, end)), end } : null;
}

/** The title of a link at a place. @param {string} text @param {number} at @returns {{ title: string, end: number } | null} */
export function titleAt(text, at) {
  const close = { '"': '"', "'": "'", "(": ")" }[text[at]];
  if (!close) return null;
  const last = Math.min(text.length, at + TITLE_MAX);
  for (let end = at + 1; end < last; end += 1) {
    if (text[end] === "\\") end += 1;
    else if (text[end] === close) return { title: unescaped(text.slice(at + 1, end)), end: end + 1 };
    else if (close === ")" && text[end] === "(") return null;
  }
  return null;
}

/** Where spaces and at most one line end are over. @param {string} text @param {number} at */
export function pastSpace(text, at) {
  let isPastLine = false;
  for (; at < text.length; at += 1) {
    if (text[at] === "\n" && !isPastLine) isPastLine = true;
    else if (text[at] !== " " && text[at] !== "\t") break;
  }
  return at;
}

/** Takes the definitions from the beginning of a paragraph. Returns what is left of it.
 * @param {string} text @param {References} references */
export function takeDefinitions(text, references) {
  for (;;) {
    const end = definition(text, references);
    if (end === 0) return text;
    text = text.slice(end);
  }
}

/** @param {string} text @param {References} references @returns {number} where it ends; 0 when there is none */
function definition(text, references) {
  const label = labelAt(text, 0);
  if (!label || text[label.end] !== ":") return 0;
  const from = pastSpace(text, label.end + 1);
  const address = addressAt(text, from);
  if (!address || (address.end === from && text[from] !== "<")) return 0;
  const lineEnd = (/** @type {number} */ at) => {
    const end = text.indexOf("\n", at) < 0 ? text.length : text.indexOf("\n", at) + 1;
    return text.slice(at, end).trim() === "" ? end : 0;
  };
  const before = pastSpace(text, address.end);
  const title = before > address.end ? titleAt(text, before) : null;
  const withTitle = title ? lineEnd(title.end) : 0;
  const end = withTitle || lineEnd(address.end);
  if (!end) return 0;
  const name = folded(label.label);
  const target = { to: address.to, title: withTitle && title ? title.title : "" };
  if (!references.has(name)) references.set(name, target);
  return end;
}
