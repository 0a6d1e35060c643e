// What an operator sees with an ordinary gRPC tool: the same services, the same data, behind one header.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { GatewayClient } from "@openclaw/gateway-client";

import { Gateway } from "./gateway.mjs";

const run = promisify(execFile);
const buf = fileURLToPath(new URL("node_modules/.bin/buf", import.meta.url));
const proto = fileURLToPath(new URL("../../proto", import.meta.url));

let gateway;
let credential;
before(async () => {
  gateway = await Gateway.start();
  credential = (await readFile(join(gateway.home, "credential", "operator"), "utf8")).trim();
});
after(() => gateway.stop());

/** Calls the session service as a gRPC tool does, over its Unix socket. */
function curl(args, header = `authorization: Bearer ${credential}`) {
  const socket = join(gateway.home, "run", "session.sock");
  const common = ["curl", "--http2-prior-knowledge", "--protocol", "grpc", "--unix-socket", socket];
  const reflects = !args.includes("--schema");
  const headers = ["--header", ...(reflects ? ["--reflect-header"] : [])].flatMap((flag) => header ? [flag, header] : []);
  return run(buf, [...common, ...headers, ...args]);
}

test("reflection lists the services", async () => {
  const { stdout } = await curl(["--list-services", "http://session"]);

  assert.match(stdout, /gatehouse\.session\.v1\.SessionService/);
  assert.match(stdout, /grpc\.health\.v1\.Health/);
});

test("a call shows what the WebSocket shows", async () => {
  const ready = Promise.withResolvers();
  const client = new GatewayClient({
    url: gateway.url,
    token: gateway.token,
    scopes: ["operator.read", "operator.write"],
    onHelloOk: ready.resolve,
    onConnectError: ready.reject,
  });
  client.start();
  await ready.promise;
  await client.request("sessions.create", { key: "agent:main:seen-twice", idempotencyKey: randomUUID() });

  const url = "http://session/gatehouse.session.v1.SessionService/ListSessions";
  const { stdout } = await curl(["-d", "{}", url]);
  const overSocket = await client.request("sessions.list", {});

  const keys = JSON.parse(stdout).sessions.map((session) => session.key);
  assert.deepEqual(keys, overSocket.sessions.map((session) => session.key));
  assert.ok(keys.includes("agent:main:seen-twice"));
  await client.stop();
});

test("nobody gets in without the credential", async () => {
  const url = "http://session/gatehouse.session.v1.SessionService/ListSessions";
  await assert.rejects(curl(["-d", "{}", "--schema", proto, url], null), /unauthenticated/i);
});

test("a service's own secret opens what it needs and nothing else", async () => {
  const agent = (await readFile(join(gateway.home, "credential", "agent"), "utf8")).trim();
  const header = `authorization: Bearer ${agent}`;
  const url = "http://session/gatehouse.session.v1.SessionService/ListSessions";
  await assert.rejects(curl(["-d", "{}", "--schema", proto, url], header), /agent may not call .*ListSessions/);
});

test("health needs no credential", async () => {
  const url = "http://session/grpc.health.v1.Health/Check";
  const { stdout } = await curl(["-d", "{}", url]);
  assert.match(stdout, /SERVING/);
});

test("a bound is refused with its path, as at the edge", async () => {
  const url = "http://session/gatehouse.session.v1.SessionService/ListSessions";
  await assert.rejects(curl(["-d", '{"limit": 0}', url]), /\/limit/);
});

test("the contracts pass the linter", async () => {
  await run(buf, ["lint", proto]);
});
