// A word of the browser's when an answer ends and nobody looks. It is asked for by the person, never by the page itself.

import { pathOf } from "../base.js";
import { ends } from "../store/gateway.js";
import { titleOf } from "../store/sessions.js";
import { state } from "../store/state.js";
import { agentName } from "./keys.js";

const WANTED = "gatehouse.notify";

/** Letters of an answer in a notification: systems show no more. */
const SHOWN = 140;

export const canNotify = () => "Notification" in globalThis && isSecureContext;

export const notifies = () => canNotify() && Notification.permission === "granted" && localStorage.getItem(WANTED) === "1";

/** Turns it on or off. Returns whether it is on. @param {boolean} wanted */
export async function setNotify(wanted) {
  const isAllowed = !wanted || (await Notification.requestPermission()) === "granted";
  if (wanted && isAllowed) localStorage.setItem(WANTED, "1");
  else localStorage.removeItem(WANTED);
  return wanted && isAllowed;
}

/** Watches for answers that end. */
export function watchEnds() {
  ends.addEventListener("end", (event) => {
    const { sessionKey, agentId, text } = /** @type {CustomEvent} */ (event).detail;
    if (!document.hidden || !notifies()) return;
    const note = new Notification(`${agentName(agentId)} · ${titleOf(state.sessions.get(sessionKey), sessionKey)}`, {
      body: text.slice(0, SHOWN),
      tag: sessionKey,
    });
    note.onclick = () => {
      focus();
      location.href = pathOf("chat", sessionKey);
    };
  });
}
