// An account that somebody has to link: the code that a phone scans, another one when the platform gives one, until it is linked.

import { fill, h } from "../../dom.js";
import { call } from "../../store/gateway.js";
import { act } from "../act.js";

/** @typedef {{ connected: boolean, state: string, message: string, qrDataUrl?: string, pairCode?: string }} Reached */

/** Longer than the gateway waits with an answer, in milliseconds. */
const PATIENCE = 45_000;
const WAIT = 25_000;

/** What is shown, by account: the list around it is drawn anew whenever something changes. @type {Map<string, HTMLElement>} */
const boxes = new Map();

/** A button that shows the code, and the code. @param {string} channel @param {string} accountId @param {() => Promise<void>} again @returns {[HTMLElement, HTMLElement]} */
export function link(channel, accountId, again) {
  const key = `${channel}/${accountId}`;
  const box = boxes.get(key) ?? h("div", { class: "link" });
  boxes.set(key, box);
  const show = async () => {
    /** @type {Reached} */
    let reached = await call("web.login.start", { channel, accountId, timeoutMs: WAIT }, PATIENCE);
    draw(box, reached);
    // Whoever looks elsewhere waits for nothing.
    while (box.isConnected && !reached.connected && !["failed", "stopped", "standby"].includes(reached.state)) {
      const { qrDataUrl, pairCode } = reached;
      const shown = { currentQrDataUrl: qrDataUrl, currentPairCode: pairCode };
      reached = await call("web.login.wait", { channel, accountId, timeoutMs: WAIT, ...shown }, PATIENCE);
      draw(box, reached);
    }
    if (reached.connected) boxes.delete(key);
    await again();
  };
  return [act("Link", show, { class: "small primary" }), box];
}

/** @param {HTMLElement} box @param {Reached} reached */
function draw(box, { connected, message, qrDataUrl, pairCode }) {
  if (connected) {
    fill(box);
    return;
  }
  fill(
    box,
    qrDataUrl && h("img", { src: qrDataUrl, alt: "A code to be scanned with the platform's application" }),
    pairCode && h("p", { class: "code" }, pairCode),
    h("p", {}, message),
  );
}
