// OpenClaw's node host: a machine whose commands the gateway may call.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";

import { until } from "../gateway.mjs";
import { connect } from "./library.mjs";
import { environment, node, openclaw } from "./openclaw.mjs";

const PATIENCE_MS = 60_000;
const NAME = "kit-node";

class Host {
  log = "";

  constructor({ host, port, token, home }) {
    const args = [openclaw, "node", "run", "--host", host, "--port", port, "--display-name", NAME];
    this.child = spawn(node, args, { env: environment(home, { OPENCLAW_GATEWAY_TOKEN: token }), stdio: ["ignore", "pipe", "pipe"], cwd: home });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on("data", (data) => (this.log += data));
  }

  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((done) => this.child.once("exit", done));
    this.child.kill("SIGTERM");
    await Promise.race([ended, new Promise((late) => setTimeout(late, 10_000))]);
    this.child.kill("SIGKILL");
  }
}

export async function nodeHost(report, { user, recorder, token }) {
  const check = (name, body) => report.check("node host", name, body);
  const { hostname: host, port } = new URL(recorder.url);
  const operator = await connect(recorder.url, { token });
  const running = new Host({ host, port, token, home: user.home });
  const found = async () => (await operator.client.request("node.list", {})).nodes.find((entry) => entry.displayName === NAME);
  const invoke = (command, params, more = {}) =>
    operator.client.request("node.invoke", { nodeId: id, command, params, timeoutMs: 20_000, idempotencyKey: randomUUID(), ...more });
  let id;
  try {
    const there = await check("connects and is listed", async () => {
      const entry = await until("the node is connected in node.list", async () => ((entry) => (entry?.connected ? entry : undefined))(await found()), PATIENCE_MS).catch((error) => {
        throw new Error(`${error.message}; the node says: ${running.log.trim().slice(-250)}`);
      });
      id = entry.nodeId;
    });
    if (!there) return;
    await check("may run nothing before it is approved", () => assert.rejects(invoke("system.which", { bins: ["ls"] }), /approv|not allowed|pending|pairing/i));
    await check("is approved by an operator", async () => {
      const request = await until("the request of the node", async () => (await operator.client.request("node.pair.list", {})).pending.find((entry) => entry.nodeId === id), PATIENCE_MS);
      await operator.client.request("node.pair.approve", { requestId: request.requestId });
      await until("its commands", async () => ((await found())?.commands?.includes("system.which") ? true : undefined), PATIENCE_MS);
    });
    await check("answers a command", async () => {
      const answer = await invoke("system.which", { bins: ["ls"] });
      assert.match(answer.payload.bins.ls, /\/ls$/);
    });
    await check("node.invoke there and back (median of 20)", async () => {
      const times = [];
      for (let i = 0; i < 20; i += 1) {
        const started = performance.now();
        await invoke("system.which", { bins: ["ls"] });
        times.push(performance.now() - started);
      }
      return times.sort((a, b) => a - b)[10];
    });
    await check("a command that it does not have is refused", () => assert.rejects(invoke("camera.snap", {}), /./));
    await check("is described", async () => assert.equal((await operator.client.request("node.describe", { nodeId: id })).nodeId, id));
    await check("comes back after a cut without being approved again", async () => {
      const mark = recorder.frames.length;
      recorder.cut();
      await until("the node's next hello", () => recorder.since(mark, "client").find((frame) => frame.method === "connect" && frame.params?.role === "node"), PATIENCE_MS);
      await until("the node's commands", async () => ((await found().catch(() => undefined))?.commands?.includes("system.which") ? true : undefined), PATIENCE_MS);
      assert.match((await invoke("system.which", { bins: ["ls"] })).payload.bins.ls, /\/ls$/);
    });
    await check("is offline when it is stopped", async () => {
      await running.stop();
      await until("the node is away", async () => ((await found())?.connected ? undefined : true), PATIENCE_MS);
      await assert.rejects(invoke("system.which", { bins: ["ls"] }), /not connected|offline|unavailable/i);
    });
  } finally {
    await running.stop();
    await operator.stop();
  }
}
