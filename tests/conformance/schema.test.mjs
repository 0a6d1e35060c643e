// Every frame that the gateway sends, against the published schema of the protocol.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import Ajv from "ajv";
import WebSocket from "ws";

import { Gateway, until } from "./gateway.mjs";

const published = new URL("node_modules/@openclaw/gateway-protocol/protocol.schema.json", import.meta.url);
const schema = JSON.parse(readFileSync(published, "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema(schema, "protocol");

/** Fails with what is wrong when the value is not a `name` of the published schema. */
function conforms(name, value) {
  const validate = ajv.getSchema(`protocol#/definitions/${name}`);
  assert.ok(validate, `the published schema has ${name}`);
  assert.ok(validate(value), `${name}: ${JSON.stringify(validate.errors?.slice(0, 3))} in ${JSON.stringify(value).slice(0, 600)}`);
}

let gateway;
before(async () => (gateway = await Gateway.start()));
after(() => gateway.stop());

/** A bare socket that keeps every frame, connected as an operator. */
async function connect() {
  const socket = new WebSocket(gateway.url);
  const frames = [];
  socket.on("message", (data) => frames.push(JSON.parse(data.toString())));
  const answer = (id) => until(`answer to ${id}`, () => frames.find((f) => f.type === "res" && f.id === id));
  await until("challenge", () => frames.find((f) => f.event === "connect.challenge"));
  const call = (method, params) => {
    const id = `${method}:${randomUUID()}`;
    socket.send(JSON.stringify({ type: "req", id, method, params }));
    return answer(id);
  };
  const hello = await call("connect", {
    minProtocol: 4,
    maxProtocol: 4,
    client: { id: "cli", version: "1.0.0", platform: "linux", mode: "cli" },
    role: "operator",
    scopes: ["operator.admin", "operator.read", "operator.write", "operator.pairing"],
    auth: { token: gateway.token },
  });
  return { socket, frames, call, hello };
}

test("hello-ok and its frame conform", async () => {
  const { socket, hello } = await connect();

  conforms("ResponseFrame", hello);
  conforms("HelloOk", hello.payload);
  socket.close();
});

test("a turn's frames conform", async () => {
  const { socket, frames, call } = await connect();
  await call("sessions.subscribe", {});
  const idempotencyKey = randomUUID();
  await call("chat.send", { sessionKey: "main", message: "hello", idempotencyKey });
  await until("final", () => frames.find((f) => f.payload?.runId === idempotencyKey && f.payload.state === "final"));

  for (const frame of frames) {
    conforms(frame.type === "event" ? "EventFrame" : "ResponseFrame", frame);
    if (frame.event === "chat") conforms("ChatEvent", frame.payload);
  }
  socket.close();
});

test("answers whose schema is published conform", async () => {
  const { socket, call } = await connect();
  const definitions = {
    "agents.list": "AgentsListResult",
    "channels.status": "ChannelsStatusResult",
    "channels.pairing.list": "ChannelsPairingListResult",
    "models.list": "ModelsListResult",
  };

  for (const [method, definition] of Object.entries(definitions)) {
    const answer = await call(method, {});
    assert.ok(answer.ok, `${method}: ${JSON.stringify(answer.error)}`);
    conforms(definition, answer.payload);
  }
  socket.close();
});

test("a refusal conforms", async () => {
  const { socket, call } = await connect();

  const refusal = await call("sessions.list", { limit: "many" });

  conforms("ResponseFrame", refusal);
  assert.match(refusal.error.message, /at \/limit/);
  socket.close();
});
