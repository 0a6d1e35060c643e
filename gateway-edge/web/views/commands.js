// The gateway's own commands, as they are typed: what begins with a slash completes itself.

import { fill, h, set } from "../dom.js";
import { state } from "../store/state.js";

/** Entries of the menu. */
const SHOWN_MAX = 8;

/** @param {HTMLTextAreaElement} field @param {() => void} changed */
export function commandMenu(field, changed) {
  const node = h("div", { class: "commands", role: "listbox", id: "commands", "aria-label": "Commands", hidden: true });
  set(field, { "aria-controls": "commands", "aria-autocomplete": "list" });
  let at = 0;
  /** @type {{ text: string, description: string }[]} */
  let found = [];

  const draw = () => {
    found = suggestions(field.value).slice(0, SHOWN_MAX);
    at = Math.min(at, Math.max(0, found.length - 1));
    node.hidden = found.length === 0;
    set(field, { "aria-activedescendant": found.length ? `command-${at}` : null });
    const option = (/** @type {{ text: string, description: string }} */ { text, description }, /** @type {number} */ number) =>
      h(
        "div",
        {
          role: "option",
          id: `command-${number}`,
          "aria-selected": String(number === at),
          onMousedown: (/** @type {Event} */ event) => {
            event.preventDefault();
            choose(number);
          },
        },
        h("strong", {}, text),
        h("span", {}, description),
      );
    fill(node, ...found.map(option));
  };
  const choose = (/** @type {number} */ number) => {
    field.value = `${found[number].text} `;
    at = 0;
    draw();
    changed();
  };
  field.addEventListener("input", () => {
    at = 0;
    draw();
  });
  field.addEventListener("blur", () => (node.hidden = true));
  return {
    node,
    /** Whether the menu took a key. @param {KeyboardEvent} event */
    key(event) {
      if (node.hidden) return false;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        at = (at + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
        draw();
      } else if (event.key === "Escape") node.hidden = true;
      else if (event.key === "Tab" || (event.key === "Enter" && field.value.trim() !== found[at].text)) choose(at);
      else return false;
      event.preventDefault();
      return true;
    },
  };
}

/** What may follow what was typed. @param {string} text */
function suggestions(text) {
  const typed = /^\/(\S*)$/.exec(text);
  if (typed) {
    return state.commands
      .filter(({ name }) => name.startsWith(typed[1].toLowerCase()))
      .map(({ name, description }) => ({ text: `/${name}`, description }));
  }
  const begun = /^\/(\S+) (\S*)$/.exec(text);
  const command = begun && state.commands.find(({ name, textAliases }) => name === begun[1] || textAliases?.includes(`/${begun[1]}`));
  const words = command?.args?.[0]?.choices ?? [];
  return begun
    ? words
        .filter(({ value }) => value.startsWith(begun[2]) && value !== begun[2])
        .map(({ value, label }) => ({ text: `/${begun[1]} ${value}`, description: label ?? "" }))
    : [];
}
