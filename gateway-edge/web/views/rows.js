// The rows of a conversation in the document, however many: they stand in chunks, and the browser lays out only the chunks that are near
// the screen. It watches one element for each chunk, and a row that comes or goes touches no chunk but its own.

import { h, list } from "../dom.js";
import { drawItem, updateItem } from "./message.js";

/** @typedef {import("./items.js").Item} Item */
/** @typedef {{ key: string, items: Item[] }} Chunk */
/** What is drawn of what runs, by run. @typedef {Map<string, { node: HTMLElement, item: import("./items.js").RunItem }>} Live */

/** Rows of a chunk. They are laid out together when the first of them comes near the screen: more would be seen as a stutter; with fewer
 * there are too many chunks to watch. */
const CHUNK = 32;

/** What stands in a chunk. @type {WeakMap<Element, Item[]>} */
const drawn = new WeakMap();

/** Makes the document show these items, and says where those are that go on. @param {HTMLElement} rows @param {Item[]} items @returns {Live} */
export function drawRows(rows, items) {
  /** @type {Live} */
  const live = new Map();
  list(rows, chunksOf(items), {
    key: (chunk) => chunk.key,
    make: () => h("div", { class: "chunk" }),
    update: (node, chunk) => drawChunk(node, chunk, live),
  });
  markEnd(rows);
  return live;
}

/** A row belongs to the same chunk for ever: by its number. What has no number stands behind the row before it. @param {Item[]} items */
function chunksOf(items) {
  /** @type {Map<string, Chunk>} */
  const chunks = new Map();
  let key = "none";
  /** Lines that stand before the row that comes next. @type {Item[]} */
  let before = [];
  const put = (/** @type {Item[]} */ some) => {
    const chunk = chunks.get(key) ?? { key, items: [] };
    chunk.items.push(...some);
    chunks.set(key, chunk);
  };
  for (const item of items) {
    if (item.kind === "line") {
      before.push(item);
      continue;
    }
    if (item.kind === "row") key = String(Math.floor(item.row.__openclaw.seq / CHUNK));
    put([...before, item]);
    before = [];
  }
  if (before.length > 0) put(before);
  return chunks.values();
}

/** @param {HTMLElement} node @param {Chunk} chunk @param {Live} live */
function drawChunk(node, { items }, live) {
  const runs = items.some((item) => item.kind === "run");
  const before = drawn.get(node);
  if (!runs && before && isSame(before, items)) return;
  drawn.set(node, items);
  node.classList.toggle("runs", runs);
  const update = (/** @type {HTMLElement} */ article, /** @type {Item} */ item) => {
    updateItem(article, item);
    if (item.kind === "run") live.set(item.run.id, { node: article, item });
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
