// Sign in: a token or a pairing code, once. Also what is shown while a device waits to be let in.

import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { entered } from "../protocol/login.js";
import { told } from "../protocol/refusal.js";
import { enter } from "../store/gateway.js";
import { state, watch } from "../store/state.js";

/** @param {boolean} isComing whether there is nothing to ask yet */
export function signIn(isComing) {
  const node = h("main", { class: "sign-in", id: "main" });
  const field = h("input", {
    type: "password",
    name: "token",
    autocomplete: "current-password",
    spellcheck: false,
    placeholder: "Token or pairing code",
    "aria-label": "Token or pairing code",
    required: true,
  });
  const button = h("button", { type: "submit", class: "primary" }, "Sign in");
  const notice = h("div", { class: "notice", role: "status" });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!field.value.trim()) return field.focus();
    button.disabled = true;
    enter(entered(field.value));
  };
  const form = h("form", { onSubmit: submit }, field, button, h("details", {}, h("summary", {}, "Where do I find it?"), help()));
  const head = h(
    "header",
    {},
    h("img", { src: new URL("../icon.svg", import.meta.url).pathname, alt: "", width: 52, height: 52 }),
    h("h1", {}, "Gatehouse"),
  );
  const lead = h("p", { class: "soft" });
  fill(node, head, lead, notice, form);

  const close = watch(["condition"], () => {
    const { condition } = state;
    const waits = condition.state === "pairing";
    const coming = isComing && (condition.state === "connecting" || condition.state === "open");
    button.disabled = condition.state === "connecting";
    form.hidden = waits || isComing;
    fill(lead, coming ? "Coming in …" : waits ? "" : "One sign-in for this browser: it is known from then on.");
    fill(notice, ...said(condition));
    notice.hidden = notice.childNodes.length === 0;
    if (condition.state === "refused") field.select();
  });
  if (!isComing) queueMicrotask(() => field.focus());
  return { node, close };
}

/** @param {import("../protocol/connection.js").Condition} condition @returns {Node[]} */
function said(condition) {
  if (condition.state === "pairing") {
    const id = condition.refused.details.requestId ?? "";
    return [
      h("h2", {}, "Waiting to be let in"),
      h("p", {}, "This browser is new here. Somebody who is signed in lets it in under Gateway, Devices; or on the gateway's machine:"),
      h("pre", {}, h("code", {}, `gatehouse devices approve ${id.slice(0, 8)}`)),
      h("p", { class: "soft pulse" }, "This page goes on by itself."),
    ];
  }
  if (condition.state === "refused") return [h("p", { class: "problem" }, icon("alert"), told(condition.refused))];
  if (condition.state === "away") return [h("p", { class: "problem" }, icon("alert"), "The gateway does not answer. Trying again …")];
  return [];
}

function help() {
  const step = (/** @type {string} */ code, /** @type {string} */ text) => h("li", {}, h("code", {}, code), " ", text);
  const isSafe = globalThis.isSecureContext;
  return h(
    "div",
    {},
    h("p", {}, "On the gateway's machine:"),
    h(
      "ul",
      {},
      step("gatehouse token show", "prints the token of its owner."),
      step("gatehouse pair", "makes a code for one device, with a picture for phones."),
    ),
    isSafe
      ? null
      : h(
          "p",
          { class: "soft" },
          "This address is not encrypted, so the browser keeps no key for it: you stay signed in for as long as this tab is open.",
        ),
  );
}
