// The published reference client, unchanged, with and without a device of its own.

import assert from "node:assert/strict";
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { GatewayClient } from "@openclaw/gateway-client";

import { until } from "../gateway.mjs";
import { said } from "./provider.mjs";

const ALL = ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing", "operator.questions"];

/** A device: its key, and the tokens that it was given, as a client keeps them from day to day. */
export function device() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const raw = (key) => key.export({ format: "der", type: "spki" }).subarray(-32);
  const tokens = new Map();
  return {
    tokens,
    deviceIdentity: {
      deviceId: createHash("sha256").update(raw(publicKey)).digest("hex"),
      privateKeyPem: privateKey.export({ format: "pem", type: "pkcs8" }),
      publicKeyPem: publicKey.export({ format: "pem", type: "spki" }),
    },
    hostDeps: {
      signDevicePayload: (pem, payload) => sign(null, Buffer.from(payload), createPrivateKey(pem)).toString("base64url"),
      publicKeyRawBase64UrlFromPem: (pem) => raw(createPublicKey(pem)).toString("base64url"),
      loadDeviceAuthToken: ({ role }) => tokens.get(role) ?? null,
      storeDeviceAuthToken: ({ role, token, scopes }) => tokens.set(role, { token, scopes }),
      clearDeviceAuthToken: ({ role }) => tokens.delete(role),
    },
  };
}

const opened = new Set();

/** Ends every client, those of failed checks as well: they would come back for ever. */
export const disconnect = () => Promise.all([...opened].map((client) => client.stop()));

/** A connected client with everything that it was told. The command line's name keeps the scopes that it asks for. */
export async function connect(url, options = {}) {
  const events = [];
  const { promise, resolve, reject } = Promise.withResolvers();
  const gaps = [];
  let hellos = 0;
  const client = new GatewayClient({
    url,
    clientName: "cli",
    mode: "cli",
    scopes: ALL,
    onHelloOk: (hello) => { hellos += 1; resolve(hello); },
    onConnectError: reject,
    onReconnectPaused: (info) => reject(Object.assign(new Error(info.reason), info)),
    onGap: (gap) => gaps.push(gap),
    onEvent: (event) => events.push({ ...event, at: Date.now() }),
    ...options,
  });
  client.start();
  opened.add(client);
  const hello = await promise;
  const of = (runId) => events.filter((event) => event.event === "chat" && event.payload.runId === runId);
  const ended = (runId) => until(`the end of ${runId}`, () => of(runId).find((event) => ["final", "error", "aborted"].includes(event.payload.state)), 60_000);
  const send = async (sessionKey, message, more = {}) => {
    const idempotencyKey = randomUUID();
    const answer = await client.request("chat.send", { sessionKey, message, idempotencyKey, ...more });
    assert.equal(answer.runId, idempotencyKey);
    return idempotencyKey;
  };
  return { client, hello, events, gaps, of, ended, send, get hellos() { return hellos; }, stop: () => client.stop() };
}

export const textOf = (message) => (typeof message.content === "string" ? message.content : message.content.map((part) => part.text ?? "").join(""));

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

export async function library(report, { url, token, recorder, provider }) {
  const check = (name, body) => report.check("gateway-client", name, body);
  const open = (options) => connect(url, { token, ...options });
  let own;
  await check("says hello", async () => {
    own = await open();
    assert.equal(own.hello.protocol, 4);
    assert.deepEqual([...own.hello.auth.scopes].sort(), [...ALL].sort());
  });
  if (!own) return;
  try {
    await conversation(check, own, provider);
    await refusals(check, own, open);
    await devices(check, url, token);
    await reconnect(check, own, recorder);
  } finally {
    await own.stop();
  }
}

async function conversation(check, own, provider) {
  const key = `agent:main:kit-${randomUUID()}`;
  await check("each method that hello names is known", async () => {
    const { methods } = own.hello.features;
    assert.ok(methods.length > 20, `${methods.length} methods`);
    const read = methods.filter((method) => /\.(list|status|get)$/.test(method));
    const answers = await Promise.allSettled(read.map((method) => own.client.request(method, {})));
    const unknown = answers.flatMap((answer, i) => (/unknown method/.test(answer.reason?.message ?? "") ? [read[i]] : []));
    assert.deepEqual(unknown, []);
  });
  await check("subscribes, sends and streams to one end", async () => {
    await own.client.request("sessions.subscribe", {});
    await own.client.request("sessions.messages.subscribe", { key });
    const runId = await own.send(key, "hello [[fake tokens=60 delay=20]]");
    const end = await own.ended(runId);
    assert.equal(end.payload.state, "final");
    assert.equal(textOf(end.payload.message), said(60));
    const deltas = own.of(runId).filter((event) => event.payload.state === "delta");
    assert.ok(deltas.length >= 5, `${deltas.length} deltas`);
    assert.equal(textOf(deltas.at(-1).payload.message), deltas.map((delta) => delta.payload.deltaText).join(""));
  });
  await check("the first token is there (time from sending)", async () => {
    const times = [];
    for (let i = 0; i < 5; i += 1) {
      const began = Date.now();
      const runId = await own.send(key, "quick [[fake tokens=3]]");
      const first = await until("a first delta", () => own.of(runId).find((event) => ["delta", "final"].includes(event.payload.state)), 30_000);
      times.push(first.at - began);
      await own.ended(runId);
    }
    return median(times);
  });
  await check("a refusal of the provider ends the run with an error", async () => {
    const end = await own.ended(await own.send(key, "boom [[fake status=400]]"));
    assert.equal(end.payload.state, "error");
    assert.ok(end.payload.errorMessage);
  });
  await check("an abort keeps what was said", async () => {
    const runId = await own.send(key, "long [[fake tokens=900 delay=30]]");
    await until("a first delta", () => own.of(runId).find((event) => event.payload.state === "delta"), 30_000);
    const answer = await own.client.request("chat.abort", { sessionKey: key, runId });
    assert.deepEqual(answer.runIds, [runId]);
    assert.equal((await own.ended(runId)).payload.state, "aborted");
  });
  await check("history has every row in order", async () => {
    const { messages } = await own.client.request("chat.history", { sessionKey: key, limit: 50 });
    assert.ok(messages.length >= 14, `${messages.length} rows`);
    assert.equal(messages[0].role, "user");
    assert.equal(textOf(messages[1]), said(60));
  });
  await check("the same key twice is one run", async () => {
    const idempotencyKey = randomUUID();
    const params = { sessionKey: key, message: "once [[fake tokens=20 delay=20]]", idempotencyKey };
    const before = provider.requests.length;
    await own.client.request("chat.send", params);
    assert.equal((await own.client.request("chat.send", params)).status, "in_flight");
    await assert.rejects(own.client.request("chat.send", { ...params, message: "another" }), /./);
    await own.ended(idempotencyKey);
    assert.equal(provider.requests.slice(before).filter((request) => request.asked.includes("once [[")).length, 1);
  });
  await check("an image reaches the model and stays in the history", async () => {
    const content = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    const attachments = [{ type: "image", mimeType: "image/png", fileName: "dot.png", content }];
    const before = provider.requests.length;
    await own.ended(await own.send(key, "look [[fake tokens=2]]", { attachments }));
    assert.ok(provider.requests.slice(before).some((request) => request.images), "the provider was shown no image");
  });
  await check("/status is answered by the gateway", async () => {
    const before = provider.requests.length;
    const end = await own.ended(await own.send(key, "/status"));
    assert.equal(end.payload.state, "final");
    assert.equal(provider.requests.length, before, "the model was asked");
  });
  await check("a session that is made with a message starts its run", async () => {
    const made = await own.client.request("sessions.create", { agentId: "main", message: "born [[fake tokens=3]]" });
    assert.equal(made.runStarted, true);
    assert.equal((await own.ended(made.runId)).payload.state, "final");
  });
  await check("sendPolicy deny keeps messages out", async () => {
    const shut = `agent:main:shut-${randomUUID()}`;
    await own.client.request("sessions.create", { key: shut, agentId: "main" });
    await own.client.request("sessions.patch", { key: shut, sendPolicy: "deny" });
    await assert.rejects(own.send(shut, "hello"), /send blocked by session policy/);
  });
  await check("a second message is taken in by the run that is on", async () => {
    const first = await own.send(key, "first [[fake tokens=60 delay=30]]");
    await until("a first delta", () => own.of(first).find((event) => event.payload.state === "delta"), 30_000);
    const second = await own.send(key, "second [[fake tokens=2]]");
    assert.equal((await own.ended(second)).payload.state, "final");
    await own.ended(first);
  });
}

async function refusals(check, own, open) {
  await check("a method that does not exist is named", () => assert.rejects(own.client.request("no.such.method", {}), /^.*unknown method: no\.such\.method$/));
  await check("a reader hears the same of a method that does not exist", async () => {
    const reader = await open({ scopes: ["operator.read"] });
    await assert.rejects(reader.client.request("no.such.method", {}), /unknown method: no\.such\.method/).finally(() => reader.stop());
  });
  await check("a reader may not send", async () => {
    const reader = await open({ scopes: ["operator.read"] });
    await assert.rejects(reader.send("main", "hello"), /missing scope: operator\.write/).finally(() => reader.stop());
  });
  await check("the main session cannot be deleted", () => assert.rejects(own.client.request("sessions.delete", { key: "agent:main:main" }), /main session/));
  await check("a session that does not exist does not resolve", () =>
    assert.rejects(own.client.request("sessions.resolve", { key: `agent:main:${randomUUID()}` }), /No session found/));
  await check("a wrong token stops the client with its code", async () => {
    await assert.rejects(open({ token: "wrong" }), (error) => (error.details?.code ?? error.detailCode ?? error.cause?.details?.code) === "AUTH_TOKEN_MISMATCH");
  });
}

async function devices(check, url, token) {
  const mine = device();
  await check("a new device on this machine is paired and given a token", async () => {
    const first = await connect(url, { token, ...mine, clientName: "openclaw-tui", mode: "ui" });
    assert.ok(first.hello.auth.deviceToken);
    await first.stop();
    assert.ok(mine.tokens.get("operator")?.token);
  });
  await check("the device comes back with its own token only", async () => {
    assert.ok(mine.tokens.get("operator"), "it was given no token");
    const again = await connect(url, { ...mine, clientName: "openclaw-tui", mode: "ui" });
    assert.deepEqual([...again.hello.auth.scopes].sort(), [...ALL].sort());
    await again.stop();
  });
  await check("a signature of another key is refused", async () => {
    const forged = { ...device(), deviceIdentity: { ...device().deviceIdentity, deviceId: mine.deviceIdentity.deviceId } };
    await assert.rejects(connect(url, { token, ...forged, clientName: "openclaw-tui", mode: "ui" }), /device|signature/i);
  });
}

async function reconnect(check, own, recorder) {
  if (!recorder) return;
  await check("a cut in mid-stream loses no word", async () => {
    const key = `agent:main:cut-${randomUUID()}`;
    const runId = await own.send(key, "go on [[fake tokens=120 delay=30]]");
    await until("a first delta", () => own.of(runId).find((event) => event.payload.state === "delta"), 30_000);
    const hellos = own.hellos;
    recorder.cut();
    await until("a second hello", () => own.hellos > hellos || undefined, 30_000);
    const { inFlightRun } = await own.client.request("chat.history", { sessionKey: key, limit: 10 });
    assert.equal(inFlightRun?.runId, runId);
    assert.equal(textOf((await own.ended(runId)).payload.message), said(120));
  });
  await check("events are numbered without a hole", () => assert.deepEqual(own.gaps, []));
}
