// Emphasis (CommonMark 6.2): marks that open and marks that close, matched by a stack.

import { inline } from "./inline.js";

/** @typedef {import("./inline.js").Inline} Inline */
/** @typedef {{ char: string, count: number, whole: number, opens: boolean, closes: boolean }} Mark `whole` is how many there were at first */
/** @typedef {{ node: Inline, mark?: Mark }} Piece */

/** Emphasis in emphasis: what is deeper is said without. */
const DEPTH_MAX = 30;

const SPACE = /^\s$/u;
const PUNCTUATION = /^[\p{P}\p{S}]$/u;

/** Whether a run of marks may open and may close. @param {string} text @param {number} from @param {number} to */
export function flanking(text, from, to) {
  const before = from === 0 ? "\n" : lastCharacter(text, from);
  const after = to >= text.length ? "\n" : String.fromCodePoint(/** @type {number} */ (text.codePointAt(to)));
  const [spaceBefore, spaceAfter] = [SPACE.test(before), SPACE.test(after)];
  const [pointBefore, pointAfter] = [PUNCTUATION.test(before), PUNCTUATION.test(after)];
  const left = !spaceAfter && (!pointAfter || spaceBefore || pointBefore);
  const right = !spaceBefore && (!pointBefore || spaceAfter || pointAfter);
  if (text[from] !== "_") return { opens: left, closes: right };
  return { opens: left && (!right || pointBefore), closes: right && (!left || pointAfter) };
}

/** @param {string} text @param {number} at */
function lastCharacter(text, at) {
  const isPair = at > 1 && /[\udc00-\udfff]/.test(text[at - 1]);
  return isPair ? text.slice(at - 2, at) : text[at - 1];
}

/** The nodes of some pieces, with what stands between matching marks put into them. The first so many pieces are marks of
 * something else, and are left out. @param {Piece[]} pieces @param {number} skip @returns {Inline[]} */
export function emphasise(pieces, skip) {
  /** @type {Piece[]} what was read, with an opening mark as one piece */
  const done = [];
  /** @type {number[]} where in `done` the marks are that may open */
  const openers = [];
  /** Below which opener nothing is found, by what closes. @type {Map<string, number>} */
  const bottom = new Map();
  for (let at = skip; at < pieces.length; at += 1) {
    const piece = pieces[at];
    const { mark } = piece;
    if (mark?.closes) match(mark, done, openers, bottom);
    if (!mark || mark.count > 0) {
      done.push(piece);
      if (mark?.opens) openers.push(done.length - 1);
    }
  }
  return done
    .map(({ node, mark }) => (mark ? inline("text", { text: mark.char.repeat(mark.count) }) : node))
    .filter((node) => node.type !== "text" || node.text);
}

/** Closes what a mark can close. @param {Mark} mark @param {Piece[]} done @param {number[]} openers @param {Map<string, number>} bottom */
function match(mark, done, openers, bottom) {
  while (mark.count > 0) {
    const kind = `${mark.char}${mark.opens}${mark.whole % 3}`;
    const lowest = bottom.get(kind) ?? 0;
    let found = openers.length - 1;
    while (found >= lowest && !fits(/** @type {Mark} */ (done[openers[found]].mark), mark)) found -= 1;
    if (found < lowest) {
      bottom.set(kind, openers.length);
      return;
    }
    const place = openers[found];
    const opener = /** @type {Mark} */ (done[place].mark);
    const count = opener.count >= 2 && mark.count >= 2 ? 2 : 1;
    const inner = done.splice(place + 1);
    openers.length = found + 1;
    for (const [name, low] of bottom) if (low > openers.length) bottom.set(name, openers.length);
    const children = inner.map(({ node, mark }) => (mark ? inline("text", { text: mark.char.repeat(mark.count) }) : node));
    const type = mark.char === "~" ? "struck" : count === 2 ? "strong" : "emphasis";
    opener.count -= count;
    mark.count -= count;
    if (opener.count === 0) {
      done.pop();
      openers.pop();
    }
    const depth = 1 + Math.max(0, ...inner.map(({ node }) => depths.get(node) ?? 0));
    if (depth > DEPTH_MAX) done.push(...children.map((node) => ({ node })));
    else {
      const node = inline(type, { children });
      depths.set(node, depth);
      done.push({ node });
    }
    if (mark.char === "~") return;
  }
}

/** How deep a node is. @type {WeakMap<Inline, number>} */
const depths = new WeakMap();

/** @param {Mark} opener @param {Mark} closer */
function fits(opener, closer) {
  if (opener.char !== closer.char) return false;
  if (closer.char === "~") return opener.count === closer.count;
  // CommonMark 6.2, rules 9 and 10.
  const isBoth = opener.closes || closer.opens;
  return !isBoth || (opener.whole + closer.whole) % 3 !== 0 || (opener.whole % 3 === 0 && closer.whole % 3 === 0);
}
