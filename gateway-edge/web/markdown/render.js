// From what a text says to nodes. Raw HTML is shown as the text that it is; pictures from elsewhere are links.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { blocks } from "./blocks.js";
import { inlines } from "./inline.js";
import { isOwnMedium, link, linked, visible } from "./links.js";

/** @typedef {import("./blocks.js").Block} Block */
/** @typedef {import("./inline.js").Inline} Inline */
/** @typedef {import("./references.js").References} References */

/** Rows of a table that are drawn. */
const ROWS_MAX = 500;

/** A text as nodes. @param {string} text @returns {Node[]} */
export function render(text) {
  /** @type {References} */
  const references = new Map();
  const { children } = blocks(text, references);
  return children.flatMap((block) => draw(block, references));
}

/** @param {Block} block @param {References} references @returns {Node[]} */
export function draw(block, references) {
  const words = () => drawInlines(inlines(block.text, references), false);
  const inner = () => block.children.flatMap((child) => draw(child, references));
  switch (block.type) {
    case "paragraph":
      return [h("p", { dir: "auto" }, ...words())];
    case "heading":
      // Below the heading that says who speaks. What a text calls the levels in it says how they look.
      return [h("h3", { class: `rank-${block.level}`, dir: "auto" }, ...words())];
    case "code":
      return [code(block.text, block.info)];
    case "html":
      return [h("p", { dir: "auto" }, visible(block.text))];
    case "quote":
      return [h("blockquote", {}, ...inner())];
    case "rule":
      return [h("hr")];
    case "list": {
      const items = block.children.map((item) => drawItem(item, block.tight, references));
      const start = block.ordered && block.start !== 1 ? { start: block.start } : {};
      return [h(block.ordered ? "ol" : "ul", { ...start, dir: "auto" }, ...items)];
    }
    case "table":
      return [table(block, references)];
    default:
      return [];
  }
}

/** @param {Block} item @param {boolean} tight @param {References} references */
function drawItem(item, tight, references) {
  const children = item.children.flatMap((child) => {
    const isPlain = tight && child.type === "paragraph";
    return isPlain ? drawInlines(inlines(child.text, references), false) : draw(child, references);
  });
  if (item.checked === null) return h("li", {}, ...children);
  const box = h("input", { type: "checkbox", disabled: true, checked: item.checked, "aria-label": item.checked ? "done" : "to do" });
  return h("li", { class: "task" }, box, " ", ...children);
}

/** @param {Block} block @param {References} references */
function table({ cells, align }, references) {
  const row = (/** @type {string[]} */ cells, /** @type {"th" | "td"} */ tag) =>
    h(
      "tr",
      {},
      ...align.map((side, at) => h(tag, { class: side && `to-${side}`, dir: "auto" }, ...drawInlines(inlines(cells[at] ?? "", references), false))),
    );
  const [head, ...rows] = cells;
  const more = rows.length > ROWS_MAX ? h("caption", {}, `${rows.length - ROWS_MAX} more rows`) : null;
  const body = rows.slice(0, ROWS_MAX).map((cells) => row(cells, "td"));
  return h(
    "div",
    { class: "table", tabindex: 0, role: "group", "aria-label": "table" },
    h("table", {}, more, h("thead", {}, row(head, "th")), h("tbody", {}, ...body)),
  );
}

/** A block of code with what copies it. @param {string} text @param {string} info */
export function code(text, info) {
  const language = info.split(/\s/)[0].slice(0, 40);
  const shown = h("code", {}, visible(text));
  // What is drawn may grow: what is copied is what is there when somebody copies.
  const copy = h("button", { type: "button", class: "quiet small copy", "data-copy": "code", "aria-label": "Copy this code" }, icon("copy"), "Copy");
  return h("figure", { class: "code" }, h("figcaption", {}, h("span", {}, language || "text"), copy), h("pre", { tabindex: 0, dir: "ltr" }, shown));
}

/** @param {Inline[]} nodes @param {boolean} inLink @returns {(Node | string)[]} */
function drawInlines(nodes, inLink) {
  return nodes.flatMap((node) => drawInline(node, inLink));
}

/** @param {Inline} node @param {boolean} inLink @returns {(Node | string)[]} */
function drawInline({ type, text, children, to, title }, inLink) {
  const inner = () => drawInlines(children, inLink || type === "link");
  switch (type) {
    case "code":
      return [h("code", { dir: "ltr" }, visible(text))];
    case "break":
      return [h("br")];
    case "newline":
      return ["\n"];
    case "emphasis":
      return [h("em", {}, ...inner())];
    case "strong":
      return [h("strong", {}, ...inner())];
    case "struck":
      return [h("del", {}, ...inner())];
    case "link":
      return [link(to, title, ...inner().map((child) => (child instanceof Node ? child : document.createTextNode(child))))];
    case "image":
      return [picture(to, title, plain(children), inLink)];
    default:
      return inLink ? [text] : linked(text);
  }
}

/** A picture of the gateway's own is drawn; one from elsewhere is not loaded, because that alone would tell somebody something.
 * @param {string} to @param {string} title @param {string} alt @param {boolean} inLink @returns {Node} */
function picture(to, title, alt, inLink) {
  if (isOwnMedium(to)) return h("img", { src: to, alt, loading: "lazy" });
  const label = h("span", { class: "picture" }, icon("image"), alt || "picture");
  return inLink ? label : link(to, title, label);
}

/** @param {Inline[]} nodes @returns {string} */
function plain(nodes) {
  return nodes.map(({ text, children }) => text + plain(children)).join("");
}
