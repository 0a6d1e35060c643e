// Copying, also where a page has no secure context and browsers give it no clipboard.

import { h, say } from "./dom.js";

/** @param {string} text @returns {Promise<boolean>} */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { class: "off-screen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** Copies, and says so on the button for a moment. @param {HTMLElement} button @param {string} text */
export async function copyFrom(button, text) {
  const done = await copy(text);
  const label = /** @type {Text | null} */ (button.lastChild);
  if (!label || label.nodeType !== Node.TEXT_NODE) return;
  const before = label.data;
  if (before === "Copied") return;
  label.data = done ? "Copied" : "Not copied";
  announce(done ? "Copied" : "Not copied");
  setTimeout(() => (label.data = before), 1_500);
}

/** Tells who listens instead of looking. @param {string} text */
export function announce(text) {
  const live = document.getElementById("announcements");
  if (live) say(live, text);
}
