// How blocks begin: what a line looks like that opens a heading, a fence, a list item or raw HTML (CommonMark 4 and 5.2).

/** @typedef {import("./line.js").Line} Line */
/** @typedef {import("./blocks.js").Block} Block */

import { unescaped } from "./entities.js";

export const RULE = /^(?:\*[ \t]*){3,}$|^(?:_[ \t]*){3,}$|^(?:-[ \t]*){3,}$/;
export const SETEXT = /^(?:=+|-+)[ \t]*$/;

/** `## Heading ##`. @param {string} rest */
export function headingAt(rest) {
  const found = /^(#{1,6})(?:[ \t]+|$)/.exec(rest);
  if (!found) return null;
  const text = rest.slice(found[0].length).trim();
  return { level: found[1].length, text: text.replace(/(?:^|[ \t]+)#+$/, "").trimEnd() };
}

/** The beginning of a fenced code block. @param {string} rest */
export function fenceAt(rest) {
  const found = /^(?:`{3,}(?!.*`)|~{3,})/.exec(rest);
  return found ? { fence: found[0], info: unescaped(rest.slice(found[0].length).trim()) } : null;
}

const TAG = /^<(?:[A-Za-z][A-Za-z0-9-]*(?:\s+[A-Za-z_:][\w.:-]*(?:\s*=\s*(?:[^\s"'=<>`]+|'[^']*'|"[^"]*"))?)*\s*\/?|\/[A-Za-z][A-Za-z0-9-]*\s*)>\s*$/;
const NAMES =
  "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|" +
  "footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|" +
  "section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul";

/** By which of its seven beginnings (4.6), and by what each of them ends: the last two by an empty line. */
const HTML = [
  /^<(?:script|pre|textarea|style)(?:\s|>|$)/i,
  /^<!--/,
  /^<[?]/,
  /^<![A-Za-z]/,
  /^<!\[CDATA\[/,
  new RegExp(`^</?(?:${NAMES})(?:\\s|/?>|$)`, "i"),
];
const HTML_ENDS = [/<\/(?:script|pre|textarea|style)>/i, /-->/, /\?>/, />/, /\]\]>/];

/** Which kind of raw HTML begins here; 0: none. @param {string} rest @param {boolean} inParagraph */
export function htmlAt(rest, inParagraph) {
  if (rest[0] !== "<") return 0;
  const kind = HTML.findIndex((start) => start.test(rest)) + 1;
  return kind || (!inParagraph && TAG.test(rest) ? 7 : 0);
}

/** @param {number} kind @param {string} rest */
export const htmlEnds = (kind, rest) => HTML_ENDS[kind - 1]?.test(rest) ?? false;

/** Takes the marker of a list item. @param {Line} line @param {boolean} inParagraph @returns {Block | null} */
export function markerAt(line, inParagraph) {
  const rest = line.text.slice(line.next);
  const found = /^(?:([*+-])|(\d{1,9})([.)]))(?=[ \t]|$)/.exec(rest);
  if (!found) return null;
  const [marker, bullet, digits, delimiter] = found;
  // What may as well be a part of the text does not end a paragraph.
  if (inParagraph && (rest.slice(marker.length).trim() === "" || (digits && Number(digits) !== 1))) return null;
  const before = line.indent;
  line.take(marker.length);
  const spaces = line.indent;
  const isEmpty = line.isBlank;
  const after = isEmpty || spaces > 4 ? 1 : spaces;
  line.takeColumns(after);
  return {
    type: "item",
    children: [],
    text: "",
    from: line.number,
    to: line.number,
    level: 0,
    ordered: !bullet,
    start: Number(digits ?? 1),
    mark: bullet ?? delimiter,
    tight: true,
    width: before + marker.length + after,
    checked: null,
    fence: "",
    indent: 0,
    info: "",
    html: 0,
    align: [],
    cells: [],
  };
}
