// Small things that stand above the page: menus, questions, a word at the bottom. All of them are the browser's own, so Escape and a
// tap beside them end them, and a screen reader knows them.

import { announce } from "../clipboard.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";

/** @typedef {{ label: string, icon: import("../icons.js").Icon, run: () => unknown, danger?: boolean }} Entry */

/** Opens a menu at a button. @param {HTMLElement} at @param {(Entry | false | undefined)[]} entries */
export function openMenu(at, entries) {
  const menu = h("div", { class: "menu", role: "menu", popover: "auto" });
  const items = entries
    .filter((entry) => entry !== false && entry !== undefined)
    .map((entry) => {
      const run = () => {
        menu.hidePopover();
        entry.run();
      };
      return h("button", { type: "button", role: "menuitem", class: entry.danger && "danger", onClick: run }, icon(entry.icon), entry.label);
    });
  fill(menu, ...items);
  document.body.append(menu);
  menu.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState !== "closed") return;
    menu.remove();
    if (!document.activeElement || document.activeElement === document.body) at.focus();
  });
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const now = items.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    items[(now + step + items.length) % items.length].focus();
  });
  menu.showPopover();
  place(menu, at);
  items[0]?.focus();
}

/** Puts a menu where there is room for it. @param {HTMLElement} menu @param {HTMLElement} at */
function place(menu, at) {
  const [from, own] = [at.getBoundingClientRect(), menu.getBoundingClientRect()];
  const left = Math.min(Math.max(8, from.right - own.width), innerWidth - own.width - 8);
  const isBelow = from.bottom + own.height + 12 < innerHeight;
  menu.style.left = `${left}px`;
  menu.style.top = `${isBelow ? from.bottom + 6 : Math.max(8, from.top - own.height - 6)}px`;
}

/**
 * Asks something before it is done. With `word`, that word has to be typed: what cannot be undone is not one tap away.
 * @param {{ title: string, text?: string, label: string, value?: string, word?: string, field?: string, danger?: boolean, run: (value: string) => Promise<unknown> }} question
 */
export function ask({ title, text, label, value = "", word, field, danger, run }) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const input = word || field !== undefined ? h("input", { type: "text", autocomplete: "off", "aria-label": word ? `Type ${word}` : field }) : null;
  if (input) input.value = value;
  const go = h("button", { type: "submit", class: danger ? "primary danger" : "primary" }, label);
  const cancel = h("button", { type: "button", onClick: () => dialog.close() }, "Cancel");
  const done = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (word && input?.value.trim().toLowerCase() !== word) return input?.focus();
    go.disabled = true;
    try {
      await run(input?.value.trim() ?? "");
      dialog.close();
    } catch (error) {
      const { told } = await import("../protocol/refusal.js");
      problem.hidden = false;
      problem.textContent = told(error);
    }
    go.disabled = false;
  };
  const hint = word ? h("p", { class: "soft" }, "Type ", h("strong", {}, word), " to go on.") : null;
  const dialog = h(
    "dialog",
    { class: "ask", "aria-label": title },
    h("form", { onSubmit: done }, h("h2", {}, title), text && h("p", {}, text), hint, input, problem, h("div", { class: "actions" }, cancel, go)),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  (input ?? go).focus();
  input?.select();
}

/** @type {number | undefined} */
let timer;

/** Says something at the bottom of the page for a moment. @param {string} text */
export function toast(text) {
  clearTimeout(timer);
  document.querySelector(".toast")?.remove();
  const node = h("div", { class: "toast", popover: "manual" }, text);
  document.body.append(node);
  node.showPopover();
  announce(text);
  timer = setTimeout(() => node.remove(), 5_000);
}
