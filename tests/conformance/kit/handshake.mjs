// The handshake in all its variants: right, wrong, and in between. What each gateway answers is in one file, which a test of the edge
// plays as well, and from which docs/compatibility.md is written.

import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import WebSocket from "ws";

import { merged } from "./merge.mjs";

const FILE = new URL("../../../gateway-edge/tests/it/variants/variants.json", import.meta.url);

export const variants = JSON.parse(readFileSync(FILE, "utf8"));

/** What can be tried on a gateway as it is started: no other configuration, no moment of its life, no quarter of a minute of silence. */
export const isPlain = (variant) => !variant.gateway && !variant.state;

/** A refusal is followed by its close at once; who has been let in stays. */
const CLOSE_WITHIN_MS = 1_500;
const PATIENCE_MS = 20_000;

/** Where a configuration asks for a password. */
export const PASSWORD = "rL4$wX7qN2-of-the-kit";

const BASE = {
  minProtocol: 4,
  maxProtocol: 4,
  client: { id: "cli", version: "1", platform: "linux", mode: "cli" },
  scopes: ["operator.read"],
  auth: { token: "$TOKEN" },
};

class Device {
  #key = generateKeyPairSync("ed25519");
  raw = this.#key.publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  id = createHash("sha256").update(this.raw).digest("hex");
  publicKey = this.raw.toString("base64url");

  sign(text) {
    return sign(null, Buffer.from(text), this.#key.privateKey);
  }
}

/** The device block for what a client says, or for what it pretends to say. */
function block(devices, said, params, challenge) {
  const { key = "own", signedBy = key, form = "v3", at = 0, nonce = challenge.nonce, signs = {}, block: change = {}, padded } = said;
  const device = devices[key];
  const signed = merged(params, signs);
  const { token, deviceToken, bootstrapToken } = signed.auth ?? {};
  const { id, mode, platform, deviceFamily } = signed.client;
  const label = (text) => (text ?? "").trim().toLowerCase();
  const signedAt = challenge.ts + at;
  const parts = [form, device.id, id, mode, signed.role ?? "operator", (signed.scopes ?? []).join(","), signedAt, token ?? deviceToken ?? bootstrapToken ?? "", nonce];
  const text = [...parts, ...(form === "v3" ? [label(platform), label(deviceFamily)] : [])].join("|");
  const encoding = padded ? "base64" : "base64url";
  return merged({ id: device.id, publicKey: device.raw.toString(encoding), signature: devices[signedBy].sign(text).toString(encoding), signedAt, nonce }, change);
}

/** A socket with what it was sent. */
class Socket {
  frames = [];
  closed = undefined;

  static async open(url, headers) {
    const socket = new Socket();
    const ws = new WebSocket(url, { headers, perMessageDeflate: false });
    socket.ws = ws;
    ws.on("message", (data) => socket.frames.push(JSON.parse(data)));
    ws.on("close", (code, reason) => (socket.closed = [code, reason.toString()]));
    const status = await new Promise((opened) => {
      ws.on("open", () => opened(undefined));
      ws.on("unexpected-response", (_, answer) => opened(answer.statusCode));
      ws.on("error", () => opened(0));
    });
    if (status !== undefined) return { status };
    await socket.until(() => socket.challenge ?? socket.closed);
    return socket;
  }

  get challenge() {
    return this.frames.find((frame) => frame.event === "connect.challenge")?.payload;
  }

  async until(probe, within = PATIENCE_MS) {
    for (const end = Date.now() + within; Date.now() < end; ) {
      const value = probe();
      if (value !== undefined) return value;
      await new Promise((wake) => setTimeout(wake, 5));
    }
    return undefined;
  }

  async ask(frame) {
    const before = this.frames.length;
    this.ws.send(typeof frame === "string" ? frame : JSON.stringify(frame));
    const answer = () => this.frames.slice(before).find((frame) => frame.type !== "event");
    return (await this.until(() => answer() ?? this.closed)) && answer();
  }
}

const hidden = (text) => text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, "<id>");

/** What came of it, in the words of the file. */
async function outcome(socket, answer) {
  if (answer?.ok) {
    const { auth } = answer.payload;
    return { hello: { role: auth.role, scopes: [...auth.scopes].sort(), deviceToken: typeof auth.deviceToken === "string" } };
  }
  const close = await socket.until(() => socket.closed, answer ? CLOSE_WITHIN_MS : PATIENCE_MS);
  const error = answer?.error;
  const told = error && { code: error.code, details: error.details?.code, next: error.details?.recommendedNextStep };
  const message = close ? undefined : error && hidden(error.message);
  return JSON.parse(JSON.stringify({ ...told, message, close: close && [close[0], hidden(close[1])] }));
}

/** Plays one variant against a gateway. */
export async function play(variant, url, token) {
  const devices = { own: new Device(), other: new Device() };
  const known = {
    $TOKEN: token,
    $PASSWORD: PASSWORD,
    $SELF: url.replace(/^ws/, "http").replace(/\/$/, ""),
    $OTHER_ID: devices.other.id,
    $OTHER_KEY: devices.other.publicKey,
  };
  const filled = (value) => JSON.parse(JSON.stringify(value ?? {}).replace(/\$[A-Z_]+/g, (name) => known[name] ?? name));
  const shake = async (step, headers) => {
    const socket = await Socket.open(url, headers);
    if (socket.status !== undefined) return { socket };
    const params = filled(merged(BASE, step.connect ?? {}));
    if (step.device) params.device = block(devices, filled(step.device), params, socket.challenge ?? {});
    const frame = { type: "req", id: "1", method: "connect", params };
    if (step.untyped) delete frame.type;
    if (step.unnamed) delete frame.id;
    const answer = await socket.ask(step.send === "$LARGE" ? "x".repeat(70_000) : (step.send ?? frame));
    return { socket, answer, frame };
  };
  for (const step of variant.before ?? []) {
    const { socket, answer } = await shake(step);
    assert.ok(answer?.ok, JSON.stringify(answer));
    known[step.device?.key === "other" ? "$OTHER_TOKEN" : "$DEVICE_TOKEN"] = answer.payload.auth.deviceToken;
    socket.ws.close();
  }
  for (let guess = 1; guess < (variant.guesses ?? 1); guess += 1) {
    const { socket } = await shake(variant);
    socket.ws.terminate();
  }
  const { socket, answer, frame } = await shake(variant, filled(variant.headers));
  if (socket.status !== undefined) return { http: socket.status };
  try {
    return await outcome(socket, variant.again ? await socket.ask({ ...frame, id: "2" }) : answer);
  } finally {
    socket.ws.terminate();
  }
}

/** What of an outcome clients act on. The words are for people. */
const acted = ({ hello, code, details, close, http }) => ({ hello, code, details, close: close?.[0], http });

/** The kit lets pages of any origin into OpenClaw, because it opens its page through a recorder. */
const isOfAPage = ({ headers }) => headers?.origin !== undefined;

export async function handshake(report, { target, token }) {
  const tried = variants.filter((variant) => isPlain(variant) && !(target.name === "openclaw" && isOfAPage(variant)));
  for (const variant of tried) {
    await report.check("handshake", `${variant.group}: ${variant.name}`, async () => {
      const recorded = target.name === "openclaw" ? variant.openclaw : variant.gatehouse;
      assert.deepEqual(acted(await play(variant, target.url, token)), acted(recorded));
    });
  }
}
