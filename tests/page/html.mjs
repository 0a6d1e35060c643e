// What the page's Markdown says, written as HTML the way the CommonMark specification writes it. For the comparison with its examples
// alone: the page itself makes nodes.

import { blocks } from "../../gateway-edge/web/markdown/blocks.js";
import { inlines } from "../../gateway-edge/web/markdown/inline.js";

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
const address = (text) =>
  escaped(
    encodeURI(text)
      .replace(/%25([0-9a-fA-F]{2})/g, "%$1")
      .replaceAll("[", "%5B")
      .replaceAll("]", "%5D"),
  );

export function toHtml(text) {
  const references = new Map();
  const document = blocks(text, references);
  const words = (text) => inlines(text, references).map(one).join("");
  const plain = (nodes) => nodes.map((node) => node.text + plain(node.children) + (node.type === "newline" ? "\n" : "")).join("");
  const one = ({ type, text, children, to, title }) => {
    const inner = children.map(one).join("");
    const titled = title ? ` title="${escaped(title)}"` : "";
    switch (type) {
      case "text":
        return escaped(text);
      case "code":
        return `<code>${escaped(text)}</code>`;
      case "html":
        return text;
      case "break":
        return "<br />\n";
      case "newline":
        return "\n";
      case "emphasis":
        return `<em>${inner}</em>`;
      case "strong":
        return `<strong>${inner}</strong>`;
      case "struck":
        return `<del>${inner}</del>`;
      case "link":
        return `<a href="${address(to)}"${titled}>${inner}</a>`;
      case "image":
        return `<img src="${address(to)}" alt="${escaped(plain(children))}"${titled} />`;
    }
  };
  const item = (block, tight) => {
    let out = "<li>";
    for (const [at, child] of block.children.entries()) {
      if (child.type === "definitions") continue;
      const isPlain = tight && child.type === "paragraph";
      if (!isPlain || at > 0) out = out.endsWith("\n") ? out : `${out}\n`;
      out += isPlain ? words(child.text) : html(child);
    }
    return `${out}</li>\n`;
  };
  const html = (block) => {
    const inner = () => block.children.map(html).join("");
    switch (block.type) {
      case "document":
        return inner();
      case "definitions":
        return "";
      case "quote":
        return `<blockquote>\n${inner()}</blockquote>\n`;
      case "paragraph":
        return `<p>${words(block.text)}</p>\n`;
      case "heading":
        return `<h${block.level}>${words(block.text)}</h${block.level}>\n`;
      case "rule":
        return "<hr />\n";
      case "html":
        return `${block.text}\n`;
      case "code": {
        const language = block.info.split(/\s/)[0];
        return `<pre><code${language ? ` class="language-${escaped(language)}"` : ""}>${escaped(block.text)}</code></pre>\n`;
      }
      case "list": {
        const tag = block.ordered ? "ol" : "ul";
        const start = block.ordered && block.start !== 1 ? ` start="${block.start}"` : "";
        return `<${tag}${start}>\n${block.children.map((child) => item(child, block.tight)).join("")}</${tag}>\n`;
      }
      case "table": {
        const row = (cells, tag) =>
          `<tr>\n${block.align.map((align, at) => `<${tag}${align ? ` align="${align}"` : ""}>${words(cells[at] ?? "")}</${tag}>\n`).join("")}</tr>\n`;
        const [head, ...rows] = block.cells;
        const body = rows.length ? `<tbody>\n${rows.map((cells) => row(cells, "td")).join("")}</tbody>\n` : "";
        return `<table>\n<thead>\n${row(head, "th")}</thead>\n${body}</table>\n`;
      }
    }
  };
  return html(document);
}
