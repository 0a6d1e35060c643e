// A client with as little between the socket and the clock as there can be: what is measured is the gateway. The frames are those that
// the published clients send.

import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import WebSocket from "ws";

const MAX_FRAME_BYTES = 64 << 20;
const CONNECT_DEADLINE_MS = 60_000;
export const OPERATOR = ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing", "operator.questions"];

/** Milliseconds since the epoch with the fraction that `Date.now` does not have; the same in every thread. */
export const now = () => performance.timeOrigin + performance.now();

export class Device {
  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    this.key = privateKey;
    const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
    this.publicKey = raw.toString("base64url");
    this.id = createHash("sha256").update(raw).digest("hex");
  }

  /** The block of `connect` that proves the key, over what else stands there. */
  proof({ client, role, scopes, token, challenge }) {
    const signed = ["v3", this.id, client.id, client.mode, role, scopes.join(","), challenge.ts, token, challenge.nonce, client.platform, ""].join("|");
    const signature = sign(null, Buffer.from(signed), this.key).toString("base64url");
    return { id: this.id, publicKey: this.publicKey, signature, signedAt: challenge.ts, nonce: challenge.nonce };
  }
}

export class Wire {
  #waiting = new Map();
  #listeners = new Set();
  #next = 0;

  /** Connects and answers when hello is there. With a `device` the client is the terminal, which has one; without, the command line. */
  static async open(url, { token, device, node, scopes = node ? [] : OPERATOR, quiet = false }) {
    const wire = new Wire();
    wire.quiet = quiet;
    wire.socket = new WebSocket(url, { maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false });
    const ended = new Promise((_, reject) => {
      wire.socket.once("error", reject);
      wire.socket.once("close", (code, reason) => reject(new Error(`closed with ${code} ${reason}`)));
      setTimeout(() => reject(new Error("no hello in time")), CONNECT_DEADLINE_MS).unref();
    });
    ended.catch(() => {});
    wire.socket.on("message", (data) => wire.#take(data));
    const challenge = await Promise.race([wire.next((frame) => frame.event === "connect.challenge"), ended]);
    const client = { id: node ? "node-host" : device ? "openclaw-tui" : "cli", mode: node ? "node" : device ? "ui" : "cli", version: "1.0.0", platform: "linux" };
    const role = node ? "node" : "operator";
    const params = { minProtocol: 4, maxProtocol: 4, client, role, scopes, auth: { token }, ...(node ?? {}) };
    if (device) params.device = device.proof({ client, role, scopes, token, challenge: challenge.payload });
    wire.hello = await Promise.race([wire.request("connect", params), ended]);
    return wire;
  }

  request(method, params = {}) {
    const id = `${(this.#next += 1)}:${randomUUID()}`;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.socket.send(JSON.stringify({ type: "req", id, method, params }));
    return answer;
  }

  /** The next frame that `wanted` says yes to. */
  next(wanted) {
    return new Promise((resolve) => {
      const look = (frame) => {
        if (!wanted(frame)) return;
        this.#listeners.delete(look);
        resolve(frame);
      };
      this.#listeners.add(look);
    });
  }

  on(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #take(data) {
    const at = now();
    const frame = JSON.parse(data.toString());
    frame.at = at;
    if (frame.type === "res") {
      const waiting = this.#waiting.get(frame.id);
      this.#waiting.delete(frame.id);
      if (frame.ok) waiting?.resolve(frame.payload);
      else waiting?.reject(new Error(frame.error.message));
    }
    for (const listener of this.#listeners) listener(frame);
  }

  close() {
    const closed = new Promise((done) => this.socket.once("close", done));
    this.socket.close();
    return Promise.race([closed, new Promise((late) => setTimeout(late, 1_000).unref())]);
  }
}

export async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
