// The rows of a conversation in the document, however many: they stand in chunks, and the browser lays out only the chunks that are near
// the screen. It watches one element for each chunk, and a row that comes or goes touches no chunk but its own. A chunk that is far away
// keeps its height and nothing else.

import { h, list } from "../dom.js";
import { drawItem, updateItem } from "./message.js";

/** @typedef {import("./items.js").Item} Item */
/** @typedef {{ key: string, items: Item[] }} Chunk */
/** What is drawn of what runs, by run. @typedef {Map<string, { node: HTMLElement, item: import("./items.js").RunItem }>} Live */

/** Rows of a chunk. They are laid out together when the first of them comes near the screen: more would be seen as a stutter; with fewer
 * there are too many chunks to watch. */
const CHUNK = 32;

/** How far from the screen a chunk has its rows, in pixels: some 800 rows in both directions, which the browser's own search finds. With
 * several thousand rows in the document, whatever is added to them takes longer than a frame. */
const NEAR_PX = 60_000;

/** What stands in a chunk, or would if it were near. @type {WeakMap<Element, Item[]>} */
const drawn = new WeakMap();

/** Makes an element that scrolls show items. @param {HTMLElement} scroller @param {HTMLElement} rows */
export function rowsIn(scroller, rows) {
  /** Chunks without their rows. @type {WeakSet<Element>} */
  const emptied = new WeakSet();
  const watch = new IntersectionObserver(
    (seen) => {
      for (const { target, isIntersecting, boundingClientRect } of seen) {
        const chunk = /** @type {HTMLElement} */ (target);
        const items = drawn.get(chunk);
        if (!items || isIntersecting !== emptied.has(chunk)) continue;
        if (isIntersecting) {
          emptied.delete(chunk);
          chunk.style.blockSize = "";
          fillChunk(chunk, items);
        } else if (boundingClientRect.height > 0 && !isInUse(chunk)) {
          // What has no height is not far away: all of the conversation is hidden.
          emptied.add(chunk);
          chunk.style.blockSize = `${boundingClientRect.height}px`;
          fillChunk(chunk, []);
        }
      }
    },
    { root: scroller, rootMargin: `${NEAR_PX}px 0px` },
  );
  const make = () => {
    const chunk = h("div", { class: "chunk" });
    watch.observe(chunk);
    return chunk;
  };

  /** Makes the document show these items, and says where those are that go on. @param {Item[]} items @returns {Live} */
  const draw = (items) => {
    /** @type {Live} */
    const live = new Map();
    list(rows, chunksOf(items), { key: (chunk) => chunk.key, make, update: (node, chunk) => drawChunk(node, chunk, live, emptied) });
    markEnd(rows);
    return live;
  };
  return { draw, close: () => watch.disconnect() };
}

/** Whether somebody would miss what stands in a chunk: it grows, or it is selected or focused. @param {HTMLElement} chunk */
function isInUse(chunk) {
  const grows = chunk.classList.contains("runs") || chunk.classList.contains("near-end");
  return grows || chunk.contains(document.activeElement) || document.getSelection()?.containsNode(chunk, true) === true;
}

/** A row belongs to the same chunk for ever: by its number. What has no number stands behind the row before it. @param {Item[]} items */
function chunksOf(items) {
  /** @type {Map<string, Chunk>} */
  const chunks = new Map();
  let key = "none";
  /** Lines that stand before the row that comes next. @type {Item[]} */
  const before = [];
  const put = (/** @type {Item[]} */ ...some) => {
    const chunk = chunks.get(key);
    if (chunk) chunk.items.push(...some);
    else chunks.set(key, { key, items: some });
  };
  for (const item of items) {
    if (item.kind === "line") {
      before.push(item);
      continue;
    }
    if (item.kind === "row") key = String(Math.floor(item.row.__openclaw.seq / CHUNK));
    put(...before, item);
    before.length = 0;
  }
  if (before.length > 0) put(...before);
  return chunks.values();
}

/** @param {HTMLElement} node @param {Chunk} chunk @param {Live} live @param {WeakSet<Element>} emptied */
function drawChunk(node, { items }, live, emptied) {
  const runs = items.some((item) => item.kind === "run");
  const before = drawn.get(node);
  if (!runs && before && isSame(before, items)) return;
  drawn.set(node, items);
  node.classList.toggle("runs", runs);
  if (emptied.has(node)) {
    if (!runs) return;
    emptied.delete(node);
    node.style.blockSize = "";
  }
  fillChunk(node, items, live);
}

/** @param {HTMLElement} node @param {Item[]} items @param {Live} [live] */
function fillChunk(node, items, live) {
  const update = (/** @type {HTMLElement} */ article, /** @type {Item} */ item) => {
    updateItem(article, item);
    if (item.kind === "run") live?.set(item.run.id, { node: article, item });
  };
  list(node, items, { key: (item) => item.key, make: drawItem, update });
}

/** @param {Item[]} before @param {Item[]} now */
function isSame(before, now) {
  return before.length === now.length && now.every((item, at) => item.key === before[at].key && item.version === before[at].version);
}

/** A rule of the style that counts from the end would have the browser look at all rows whenever one is added. @param {HTMLElement} rows */
function markEnd(rows) {
  for (const node of marked.get(rows) ?? []) node.classList.remove("near-end", "at-end");
  const last = rows.lastElementChild;
  const ends = [last, last?.previousElementSibling].filter((node) => node instanceof Element);
  for (const node of ends) node.classList.add("near-end");
  const end = last?.lastElementChild;
  end?.classList.add("at-end");
  marked.set(rows, end ? [...ends, end] : ends);
}

/** The last two chunks, which are always laid out since what is said grows there, and the last row. @type {WeakMap<Element, Element[]>} */
const marked = new WeakMap();
