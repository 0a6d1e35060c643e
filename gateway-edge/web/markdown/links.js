// Where a link may lead. Whatever a model or a stranger writes, it leads to no script, loads nothing by itself, and says where it goes.

import { base } from "../base.js";
import { h } from "../dom.js";

const SCHEMES = ["https:", "http:", "mailto:", "tel:"];

/** Marks that turn the direction of text around, so that it reads as something else than it is. */
const TURNS = /[\u202a-\u202e\u2066-\u2069\u061c\u200e\u200f]/g;

/** An address as a browser understands it. `null`: nobody is led there. @param {string} text @returns {URL | null} */
export function destination(text) {
  try {
    const url = new URL(text);
    return SCHEMES.includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

/** A link that opens beside the page and tells nobody where it was.
 * @param {string} to @param {string} title @param {...Node} children @returns {Node} */
export function link(to, title, ...children) {
  const url = destination(to);
  if (!url) return h("span", { class: "dead-link", title: visible(to) }, ...children);
  const node = h(
    "a",
    { href: url.href, target: "_blank", rel: "noopener noreferrer", title: visible(title ? `${title} — ${url.href}` : url.href) },
    ...children,
  );
  const said = /^\s*(?:https?:\/\/)?([a-z0-9-]+(?:\.[a-z0-9-]+)+)/i.exec(node.textContent ?? "")?.[1];
  // A text that looks like another address than the one behind it is told apart from it.
  const isOther = said && url.host && said.toLowerCase() !== url.host && `www.${said.toLowerCase()}` !== url.host;
  return isOther ? h("span", {}, node, h("small", { class: "real-host" }, ` (${url.host})`)) : node;
}

/** Whether an address is one of the gateway's own media. @param {string} to */
export function isOwnMedium(to) {
  try {
    const url = new URL(to, location.origin);
    return url.origin === location.origin && /\/__openclaw__\/media\/[A-Za-z0-9_-]+$/.test(url.pathname.replace(base, ""));
  } catch {
    return false;
  }
}

/** A text in which marks that turn it around can be seen. @param {string} text */
export function visible(text) {
  return text.replace(TURNS, (mark) => `‹U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);
}

const BARE = /https?:\/\/[^\s<>"`]{1,2000}/gi;

/** A text with the bare addresses in it as links. @param {string} text @returns {(Node | string)[]} */
export function linked(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(BARE)) {
    let to = found[0].replace(/[.,;:!?'*_~]+$/, "");
    // A bracket behind an address is mostly not a part of it.
    while (to.endsWith(")") && to.split(")").length > to.split("(").length) to = to.slice(0, -1);
    if (!destination(to)) continue;
    parts.push(text.slice(at, found.index), link(to, "", document.createTextNode(to)));
    at = found.index + to.length;
  }
  parts.push(text.slice(at));
  return parts.filter((part) => part !== "");
}
