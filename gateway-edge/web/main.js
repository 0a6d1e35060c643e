// The beginning: who comes in, and which of the two faces of the page they see.

import { copyFrom } from "./clipboard.js";
import { fill } from "./dom.js";
import { takeFragment } from "./protocol/login.js";
import { follow } from "./router.js";
import { enter } from "./store/gateway.js";
import { state, watch } from "./store/state.js";
import { watchEnds } from "./views/notify.js";
import { shell } from "./views/shell.js";
import { signIn } from "./views/signin.js";
import { offerShell } from "./worker.js";

// Before anything else: what opens the gateway stands in the address for no longer than it takes to read it.
const shown = takeFragment();

const page = /** @type {HTMLElement} */ (document.getElementById("page"));

/** @type {{ name: string, close: () => void } | undefined} */
let face;

/** @param {boolean} hasCredential */
function show(hasCredential) {
  const { condition } = state;
  const isOut =
    !state.signedIn &&
    (condition.state === "refused" || condition.state === "pairing" || condition.state === "stopped" || !hasCredential || face?.name === "sign-in");
  // Until the first greeting nobody knows what may be shown.
  const isComing = !state.signedIn && !isOut;
  const name = isOut ? "sign-in" : isComing ? "coming" : "shell";
  if (face?.name === name) return;
  face?.close();
  const made = name === "shell" ? shell() : signIn(name === "coming");
  face = { name, close: made.close };
  fill(page, made.node);
}

addEventListener("click", ({ target }) => {
  const button = target instanceof Element ? target.closest("[data-copy]") : null;
  if (!(button instanceof HTMLElement)) return;
  const text = button.closest("figure")?.querySelector("code")?.textContent ?? "";
  copyFrom(button, text);
});

follow();
offerShell();
watchEnds();
const hasCredential = await enter(shown);
watch(["condition"], () => show(hasCredential));
