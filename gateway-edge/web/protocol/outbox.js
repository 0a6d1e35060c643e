// Messages on their way to the gateway. Each is kept in the browser under its idempotency key before it is sent, and until the gateway
// says that it has it: whatever happens between the two, it is said once.

import { drop, empty, keep, takeAll } from "./keep.js";
import { Away, Refused, told } from "./refusal.js";

/** @typedef {import("./types.js").Attachment} Attachment */
/** @typedef {{ id: string, sessionKey: string, text: string, attachments: Attachment[], at: number, state: "waiting" | "sending" | "sent" | "failed", error?: string }} Item */

export class Outbox {
  /** @type {Item[]} in the order in which they were said */
  items = [];
  #busy = false;

  /**
   * @param {(method: string, params: object) => Promise<any>} request
   * @param {() => void} changed
   */
  constructor(request, changed) {
    this.request = request;
    this.changed = changed;
  }

  /** Takes up what an earlier visit left. */
  async load() {
    const left = await takeAll("outbox").catch(() => []);
    const known = new Set(this.items.map((item) => item.id));
    const fresh = left.filter((item) => !known.has(item.id)).map((item) => ({ ...item, state: "waiting" }));
    this.items = [...fresh, ...this.items].sort((a, b) => a.at - b.at);
    if (fresh.length) this.changed();
  }

  /** @param {string} sessionKey @param {string} text @param {Attachment[]} attachments */
  add(sessionKey, text, attachments = []) {
    /** @type {Item} */
    const item = { id: key(), sessionKey, text, attachments, at: Date.now(), state: "waiting" };
    this.items.push(item);
    this.changed();
    // Both at once: nobody waits for a disk, and what was not kept yet when the page ends was sent a moment before.
    keep("outbox", item.id, { ...item }).catch(() => undefined);
    this.flush();
    return item;
  }

  /** Sends what waits, one after the other, as they were said. */
  async flush() {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (;;) {
        const item = this.items.find((item) => item.state === "waiting");
        if (!item || !(await this.#send(item))) return;
      }
    } finally {
      this.#busy = false;
    }
  }

  /** @param {Item} item @returns {Promise<boolean>} whether the next one may go */
  async #send(item) {
    this.#mark(item, "sending");
    const { id, sessionKey, text, attachments } = item;
    const params = { sessionKey, message: text, idempotencyKey: id, ...(attachments.length && { attachments }) };
    try {
      await this.request("chat.send", params);
    } catch (error) {
      if (error instanceof Away) {
        this.#mark(item, "waiting");
        return false;
      }
      if (error instanceof Refused && error.retryable) {
        this.#mark(item, "waiting");
        setTimeout(() => this.flush(), error.retryAfterMs ?? 1_000);
        return false;
      }
      item.error = told(error);
      this.#mark(item, "failed");
      return true;
    }
    drop("outbox", id).catch(() => undefined);
    if (this.items.includes(item)) this.#mark(item, "sent");
    return true;
  }

  /** @param {Item} item @param {Item["state"]} state */
  #mark(item, state) {
    item.state = state;
    this.changed();
  }

  /** The message stands in the transcript: it is no longer on its way. @param {string} id */
  arrived(id) {
    if (!this.items.some((item) => item.id === id)) return;
    this.discard(id);
  }

  /** @param {string} id */
  again(id) {
    const item = this.items.find((item) => item.id === id);
    if (!item) return;
    this.#mark(item, "waiting");
    this.flush();
  }

  /** @param {string} id */
  discard(id) {
    this.items = this.items.filter((item) => item.id !== id);
    drop("outbox", id).catch(() => undefined);
    this.changed();
  }

  /** Forgets all of it, when somebody signs out. */
  async clear() {
    this.items = [];
    await empty("outbox").catch(() => undefined);
  }
}

/** A UUID, also where a page has no secure context and browsers give it none. */
export function key() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}
