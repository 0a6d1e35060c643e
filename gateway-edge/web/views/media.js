// Pictures, sound and files of a conversation. They come from the gateway's own address and from nowhere else.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { isOwnMedium } from "../markdown/links.js";
import { size } from "../time.js";

/** @typedef {import("../protocol/types.js").Block} Block */

/** What a block of content shows; `null` when it is none of these. @param {Block} block @returns {Node | null} */
export function medium(block) {
  if (block.type === "image" && block.url) {
    const name = block.alt || block.fileName || "picture";
    if (!isOwnMedium(block.url)) return file(name, null);
    return h(
      "a",
      { class: "picture-link", href: block.url, target: "_blank", rel: "noopener" },
      h("img", { src: block.url, alt: name, loading: "lazy" }),
    );
  }
  if (block.type !== "attachment" || !block.attachment) return null;
  const { url, kind, label, sizeBytes } = block.attachment;
  if (!isOwnMedium(url)) return file(label, null);
  if (kind === "audio") return h("audio", { controls: true, preload: "none", src: url, "aria-label": label });
  if (kind === "video") return h("video", { controls: true, preload: "none", src: url, "aria-label": label });
  return file(label, url, sizeBytes);
}

/** @param {string} label @param {string | null} url @param {number} [bytes] */
function file(label, url, bytes) {
  const inner = [icon("file"), h("bdi", {}, label), bytes ? h("span", { class: "soft" }, size(bytes)) : null];
  return url
    ? h("a", { class: "file", href: url, target: "_blank", rel: "noopener", download: label }, ...inner)
    : h("div", { class: "file" }, ...inner);
}
