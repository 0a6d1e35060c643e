// What buttons do: they call the gateway, wait visibly, and say in place when it did not work.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { told } from "../protocol/refusal.js";
import { toast } from "./menu.js";

/** Does something, and tells when it failed. @param {() => Promise<unknown>} action */
export async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    toast(told(error));
    return false;
  }
}

/** A button that is busy while it works. @param {string} label @param {() => Promise<unknown>} action
 * @param {{ class?: string, icon?: import("../icons.js").Icon, title?: string }} [look] */
export function act(label, action, look = {}) {
  const button = h("button", { type: "button", class: look.class, title: look.title }, look.icon && icon(look.icon), label);
  button.addEventListener("click", async () => {
    button.disabled = true;
    await attempt(action);
    button.disabled = false;
  });
  return button;
}

/** A button with a drawing alone. @param {import("../icons.js").Icon} name @param {string} label @param {(event: MouseEvent) => unknown} run @param {string} [look] */
export function iconButton(name, label, run, look = "") {
  return h("button", { type: "button", class: `icon-button ${look}`.trim(), "aria-label": label, title: label, onClick: run }, icon(name));
}

/** Something that could not be read, with what reads it again. @param {unknown} error @param {() => unknown} again */
export function problem(error, again) {
  return h(
    "div",
    { class: "problem", role: "alert" },
    icon("alert"),
    h("span", {}, told(error)),
    h("button", { type: "button", class: "small", onClick: again }, "Try again"),
  );
}
