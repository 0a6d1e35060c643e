// The published reference client, unchanged: it connects, subscribes, sends and streams to the end.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, afterEach, before, test } from "node:test";
import { GatewayClient } from "@openclaw/gateway-client";

import { Gateway, until } from "./gateway.mjs";

let gateway;
before(async () => (gateway = await Gateway.start()));
after(() => gateway.stop());

// Also behind a test that failed: a client that is left connects again for ever, and the process with it.
const clients = [];
afterEach(() => Promise.all(clients.splice(0).map((client) => client.stop())));

/** A connected client, with everything it was told. */
async function connect(options = {}) {
  const events = [];
  const { promise, resolve, reject } = Promise.withResolvers();
  const client = new GatewayClient({
    url: gateway.url,
    token: gateway.token,
    scopes: ["operator.read", "operator.write"],
    onHelloOk: resolve,
    onConnectError: reject,
    onEvent: (event) => events.push(event),
    ...options,
  });
  clients.push(client);
  client.start();
  const hello = await promise;
  return { client, hello, events };
}

test("says hello with the live method list and nothing it does not have", async () => {
  const { client, hello } = await connect();

  assert.equal(hello.protocol, 4);
  assert.ok(hello.features.methods.includes("chat.send"));
  assert.ok(!hello.features.methods.includes("config.patch"), "an admin method is not shown to a writer");
  assert.deepEqual([...hello.auth.scopes].sort(), ["operator.read", "operator.write"]);
});

test("subscribes, sends and streams to exactly one end", async () => {
  const { client, events } = await connect();
  await client.request("sessions.subscribe", {});
  await client.request("sessions.messages.subscribe", { key: "main" });

  const runId = randomUUID();
  const message = "tell me the time";
  const sent = await client.request("chat.send", { sessionKey: "main", message, idempotencyKey: runId });
  assert.deepEqual({ runId: sent.runId, status: sent.status }, { runId, status: "started" });

  const ofRun = () => events.filter((e) => e.event === "chat" && e.payload.runId === runId);
  const final = await until("the end of the run", () => ofRun().find((e) => e.payload.state === "final"));
  const deltas = ofRun().filter((e) => e.payload.state === "delta");
  const text = final.payload.message.content.map((part) => part.text).join("");
  assert.ok(deltas.length > 1, "it streams");
  assert.equal(deltas.map((e) => e.payload.deltaText).join(""), text);
  assert.equal(deltas.at(-1).payload.message.content[0].text, text, "and keeps the whole text for the TUI");

  const history = await client.request("chat.history", { sessionKey: "main", limit: 10 });
  assert.deepEqual(history.messages.map((row) => row.role), ["user", "assistant"]);
  const rows = await until("both rows as events", () => {
    const seen = events.filter((e) => e.event === "session.message").map((e) => e.payload.message.role);
    return seen.length >= 2 ? seen : undefined;
  });
  assert.deepEqual(rows, ["user", "assistant"]);
  assert.equal(ofRun().filter((e) => ["final", "error", "aborted"].includes(e.payload.state)).length, 1);
});

test("numbers its events without a hole", async () => {
  const { client, events } = await connect();
  for (let i = 0; i < 3; i += 1) {
    const idempotencyKey = randomUUID();
    await client.request("chat.send", { sessionKey: `agent:main:gap-${i}`, message: "hello", idempotencyKey });
    await until("final", () => events.find((e) => e.payload?.runId === idempotencyKey && e.payload.state === "final"));
  }

  const numbers = events.filter((e) => e.seq !== undefined).map((e) => e.seq);
  assert.deepEqual(numbers, numbers.map((_, i) => numbers[0] + i));
});

test("aborts a run at once, and hears its end before the answer", async () => {
  const { client, events } = await connect();
  const idempotencyKey = randomUUID();
  const message = "[[echo tokens=2000 delay=20]]";
  await client.request("chat.send", { sessionKey: "agent:main:abort", message, idempotencyKey });
  await until("a first word", () => events.find((e) => e.payload?.runId === idempotencyKey && e.payload.state === "delta"));

  const aborted = await client.request("chat.abort", { sessionKey: "agent:main:abort", runId: idempotencyKey });

  const ended = events.some((e) => e.event === "chat" && e.payload.runId === idempotencyKey && e.payload.state === "aborted");
  assert.deepEqual(aborted, { ok: true, aborted: true, runIds: [idempotencyKey] });
  assert.ok(ended, "the end of the run comes before the answer");
});

test("refuses what it does not know in the words that clients match", async () => {
  const { client } = await connect({ scopes: ["operator.admin"] });

  await assert.rejects(client.request("no.such.method", {}), /unknown method: no\.such\.method/);
});

test("refuses a wrong token with a code that stops the client", async () => {
  await assert.rejects(connect({ token: "wrong" }), (error) => {
    assert.equal(error.details?.code ?? error.cause?.details?.code, "AUTH_TOKEN_MISMATCH");
    return true;
  });
});
