// One socket to the gateway and everything that brings it back: the handshake, requests and their answers, the watch over silence,
// and the wait between two attempts. It knows frames, and no method by what it means.

import { CLIENT, proof } from "./device.js";
import { Away, Refused, verdict } from "./refusal.js";

/** @typedef {import("./device.js").Device} Device */
/** @typedef {import("./types.js").Hello} Hello */
/** @typedef {{ kind: "token" | "device" | "code", secret: string, scopes: string[] }} Credential */
/** @typedef {{ state: "connecting" } | { state: "open", hello: Hello } | { state: "away", until: number } | { state: "pairing", refused: Refused } | { state: "refused", refused: Refused } | { state: "stopped" }} Condition */
/** @typedef {{ onCondition: (condition: Condition) => void, onEvent: (name: string, payload: any) => void, onGap: () => void }} Listener */

const PROTOCOL = 4;

/** Waits between attempts: short at first, because most losses are those of a moment; never so long that a person reloads. */
const RETRY_FIRST_MS = 400;
const RETRY_MAX_MS = 12_000;

/** How often a device that waits for approval asks again. */
const PAIRING_RETRY_MS = 3_000;

/** The gateway answers a handshake in milliseconds; a network that takes longer than this is as good as none. */
const HANDSHAKE_MAX_MS = 15_000;

/** A request of no method waits longer than an hour; those that may take long say so. */
const ANSWER_MAX_MS = 40_000;

/** So many silent beats of the gateway, and the socket is dead whatever the browser thinks. */
const SILENT_BEATS = 2.2;

export class Connection {
  /** @type {WebSocket | undefined} */
  #socket;
  /** @type {Map<string, { resolve: (payload: any) => void, reject: (error: Error) => void, timer: number }>} */
  #asked = new Map();
  #number = 0;
  #attempts = 0;
  /** The number of the last event of this socket. */
  #seq = 0;
  #heardAt = 0;
  #beat = 30_000;
  #open = false;
  #stopped = true;
  /** @type {number | undefined} */
  #timer;
  /** @type {number | undefined} */
  #watch;

  /**
   * @param {string} url
   * @param {Device | null} device
   * @param {() => Credential} credential
   * @param {Listener} listener
   */
  constructor(url, device, credential, listener) {
    this.url = url;
    this.device = device;
    this.credential = credential;
    this.listener = listener;
  }

  get isOpen() {
    return this.#open;
  }

  start() {
    if (!this.#stopped) return;
    this.#stopped = false;
    addEventListener("online", this.#hurry);
    document.addEventListener("visibilitychange", this.#hurry);
    this.#dial();
  }

  /** Ends for good. What was asked is answered with `Away`. */
  stop() {
    this.#stopped = true;
    removeEventListener("online", this.#hurry);
    document.removeEventListener("visibilitychange", this.#hurry);
    this.#lose();
    this.listener.onCondition({ state: "stopped" });
  }

  /** Whoever looks at the page again, or has a network again, does not wait for the next attempt. */
  #hurry = () => {
    if (this.#stopped || this.#socket || document.hidden) return;
    clearTimeout(this.#timer);
    this.#dial();
  };

  /** Drops the socket and dials anew at once. */
  again() {
    this.#lose();
    this.#attempts = 0;
    if (!this.#stopped) this.#dial();
  }

  /**
   * Asks the gateway. Rejects with `Refused` when it said no, and with `Away` when it is not there.
   * @param {string} method
   * @param {object} [params]
   * @param {number} [patience]
   * @returns {Promise<any>}
   */
  request(method, params = {}, patience = ANSWER_MAX_MS) {
    if (!this.#open) return Promise.reject(new Away());
    return this.#ask(method, params, patience);
  }

  /** @param {string} method @param {object} params @param {number} patience @returns {Promise<any>} */
  #ask(method, params, patience) {
    const id = `${++this.#number}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, (asked) => asked.reject(new Away())), patience);
      this.#asked.set(id, { resolve, reject, timer });
      this.#socket?.send(JSON.stringify({ type: "req", id, method, params }));
    });
  }

  /** @param {string} id @param {(asked: { resolve: (payload: any) => void, reject: (error: Error) => void }) => void} how */
  #settle(id, how) {
    const asked = this.#asked.get(id);
    if (!asked) return;
    this.#asked.delete(id);
    clearTimeout(asked.timer);
    how(asked);
  }

  #dial() {
    this.listener.onCondition({ state: "connecting" });
    this.#seq = 0;
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    const mine = () => this.#socket === socket;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => mine() && this.#retry(), HANDSHAKE_MAX_MS);
    socket.onmessage = ({ data }) => mine() && this.#hear(data);
    socket.onclose = () => mine() && this.#retry();
  }

  /** @param {string} text */
  #hear(text) {
    this.#heardAt = performance.now();
    const frame = JSON.parse(text);
    if (frame.type === "res") {
      this.#settle(frame.id, (asked) => (frame.ok ? asked.resolve(frame.payload) : asked.reject(new Refused(frame.error))));
    } else if (frame.event === "connect.challenge") {
      this.#greet(frame.payload);
    } else if (frame.type === "event") {
      // A number that is missing is an event that is missing: what was drawn from events is read anew.
      const isHole = frame.seq !== undefined && frame.seq !== this.#seq + 1;
      if (frame.seq !== undefined) this.#seq = frame.seq;
      if (isHole) this.listener.onGap();
      this.listener.onEvent(frame.event, frame.payload ?? {});
    }
  }

  /** @param {{ nonce: string, ts: number }} challenge */
  async #greet({ nonce, ts }) {
    const socket = this.#socket;
    const { kind, secret, scopes } = this.credential();
    const role = "operator";
    const fields = { token: { token: secret }, device: { deviceToken: secret }, code: { bootstrapToken: secret } };
    const signed = this.device && (await proof(this.device, { role, scopes, token: secret, nonce, at: ts }));
    if (this.#socket !== socket) return;
    const params = {
      minProtocol: PROTOCOL,
      maxProtocol: PROTOCOL,
      client: { ...CLIENT, displayName: browserName() },
      role,
      scopes,
      caps: ["text-increments", "tool-events"],
      auth: secret ? fields[kind] : {},
      ...(signed && { device: signed }),
    };
    try {
      const hello = await this.#ask("connect", params, HANDSHAKE_MAX_MS);
      if (this.#socket === socket) this.#welcome(hello);
    } catch (error) {
      if (this.#socket === socket) this.#refused(error);
    }
  }

  /** @param {Hello} hello */
  #welcome(hello) {
    clearTimeout(this.#timer);
    this.#attempts = 0;
    this.#open = true;
    this.#beat = hello.policy.tickIntervalMs;
    clearInterval(this.#watch);
    this.#watch = setInterval(() => {
      if (performance.now() - this.#heardAt > this.#beat * SILENT_BEATS) this.#retry();
    }, 5_000);
    this.listener.onCondition({ state: "open", hello });
  }

  /** @param {unknown} error */
  #refused(error) {
    if (!(error instanceof Refused)) return this.#retry();
    const next = verdict(error);
    if (next === "again") return this.#retry(error.retryAfterMs);
    this.#lose();
    if (next === "stop") {
      this.#stopped = true;
      return this.listener.onCondition({ state: "refused", refused: error });
    }
    this.listener.onCondition({ state: "pairing", refused: error });
    this.#timer = setTimeout(() => this.#dial(), PAIRING_RETRY_MS);
  }

  /** The socket is gone: comes back after a while.
   * @param {number} [after] what the gateway asked for, milliseconds */
  #retry(after) {
    this.#lose();
    if (this.#stopped) return;
    const longest = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 1.8 ** this.#attempts++);
    // By chance, so that not all pages of a household come back in one moment.
    const wait = Math.max(after ?? 0, longest * (0.5 + Math.random() / 2));
    this.listener.onCondition({ state: "away", until: Date.now() + wait });
    this.#timer = setTimeout(() => this.#dial(), wait);
  }

  #lose() {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#open = false;
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    socket?.close();
    for (const id of [...this.#asked.keys()]) this.#settle(id, (asked) => asked.reject(new Away()));
  }
}

/** What people call the browser, for the list of devices. */
function browserName() {
  const agent = navigator.userAgent;
  const name = [/Firefox/, /Edg/, /Chrome|Chromium/, /Safari/].find((known) => known.test(agent));
  const system = [/Android/, /iPhone|iPad/, /Mac OS/, /Windows/, /Linux/].find((known) => known.test(agent));
  const word = (/** @type {RegExp | undefined} */ known) => (known && (agent.match(known)?.[0] ?? "")) || "";
  return `${word(name).replace("Edg", "Edge") || "Browser"} ${word(system) && `on ${word(system)}`}`.trim();
}
