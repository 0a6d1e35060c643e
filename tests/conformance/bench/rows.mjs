// The rows of the comparison: each does the same with both gateways, one after the other, and answers with numbers.

import { Worker } from "node:worker_threads";
import { randomUUID } from "node:crypto";

import { pssMiB } from "./memory.mjs";
import { Device, now, percentile, timed, Wire } from "./wire.mjs";

/** How much of everything: what the table is made of, and what only shows in a minute that every row can be measured. */
export const FULL = { starts: 3, screens: 200, floodTokens: 2_000, calls: 300, lists: 50, sessions: [10, 1_000, 10_000], connects: 200, turns: 15, invocations: 100, idleMs: 10_000 };
export const SMALL = { starts: 1, screens: 20, floodTokens: 200, calls: 30, lists: 5, sessions: [10, 100], connects: 24, turns: 3, invocations: 10, idleMs: 1_000 };
const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));

/** Everything in the order in which it is measured; `add(name, unit, value)` takes a figure. */
export async function measure(target, provider, add, size = FULL) {
  const failed = [];
  const rows = { memory, calls, connects, tokens, invocations, flood, sessions };
  await start(target, add, size);
  for (const [name, row] of Object.entries(rows)) {
    console.log(`   ${target.name}: ${name}`);
    // What a gateway cannot do has no figure; the rest still has one.
    await row(target, add, size, provider).catch((error) => {
      failed.push(name);
      console.log(`   ${target.name}: ${name}: ${error.message}`);
    });
  }
  return failed;
}

async function start(target, add, size) {
  const times = [];
  for (let i = 0; i < size.starts; i += 1) {
    await target.end();
    times.push(
      await timed(async () => {
        const started = target.begin();
        // A client that keeps trying, as a service manager's next unit would.
        for (;;) {
          const wire = await Wire.open(target.url, target).catch(() => undefined);
          if (wire) {
            await wire.close();
            break;
          }
          await pause(5);
        }
        await started;
      }),
    );
  }
  add("start to the first hello", "ms", percentile(times, 0.5));
}

async function memory(target, add, size) {
  await pause(size.idleMs);
  const idle = await pssMiB(target.pid);
  add("memory idle, all processes (PSS)", "MiB", idle);
  const wires = [];
  for (let i = 0; i < size.screens; i += 1) {
    const wire = await Wire.open(target.url, target);
    await wire.request("sessions.subscribe");
    wires.push(wire);
  }
  await pause(3_000);
  add(`memory with ${size.screens} clients`, "MiB", await pssMiB(target.pid));
  await Promise.all(wires.map((wire) => wire.close()));
}

async function calls(target, add, size) {
  const wire = await Wire.open(target.url, target);
  const times = await repeat(size.calls, () => wire.request("health"));
  add("`health`, p50", "ms", percentile(times, 0.5));
  add("`health`, p99", "ms", percentile(times, 0.99));
  await wire.close();
}

async function sessions(target, add, size) {
  for (const count of size.sessions) {
    await target.seed(count);
    const wire = await Wire.open(target.url, target);
    const listed = await patiently(() => wire.request("sessions.list", { limit: 100 }));
    if ((listed.totalCount ?? listed.count) < count) throw new Error(`${listed.totalCount} sessions, not ${count}`);
    const times = await repeat(size.lists, () => wire.request("sessions.list", { limit: 100 }));
    add(`\`sessions.list\`, 100 of ${count.toLocaleString("en")} sessions, p50`, "ms", percentile(times, 0.5));
    await wire.close();
  }
}

async function connects(target, add, size) {
  const devices = Array.from({ length: 20 }, () => new Device());
  for (const device of devices) {
    const first = await Wire.open(target.url, { ...target, token: target.token, device });
    device.token = first.hello.auth?.deviceToken;
    await first.close();
    if (!device.token) throw new Error("no device token was given");
  }
  const total = size.connects;
  let begun = 0;
  const worker = async () => {
    while (begun < total) {
      const device = devices[(begun += 1) % devices.length];
      await (await Wire.open(target.url, { device, token: device.token })).close();
    }
  };
  const ms = await timed(() => Promise.all(Array.from({ length: 8 }, worker)));
  add("connects of known devices with their tokens", "a second", (total * 1_000) / ms);
}

async function tokens(target, add, size, provider) {
  const wire = await Wire.open(target.url, target);
  const firsts = [];
  for (let i = 0; i < size.turns; i += 1) {
    const began = now();
    const { first } = await turn(wire, `agent:main:first-${i % 3}`, "quick [[fake tokens=3]]");
    firsts.push(first - began);
  }
  add("`chat.send` to the first token, p50", "ms", percentile(firsts, 0.5));
  const { deltas } = await turn(wire, "agent:main:paced", "paced [[fake tokens=200 delay=20]]");
  const { sent } = provider.requests.findLast((request) => request.asked.includes("paced [["));
  const late = deltas.map(({ at, words }) => at - sent[words - 1]).filter((ms) => ms >= 0);
  add("the model's token to the client, p50 (paced by both)", "ms", percentile(late, 0.5));
  add("the same, p99", "ms", percentile(late, 0.99));
  await wire.close();
}

/** One turn: when its first word came, and each delta with how many words it had made. */
async function turn(wire, sessionKey, message) {
  const idempotencyKey = randomUUID();
  const deltas = [];
  let first;
  const done = new Promise((resolve, reject) => {
    const stop = wire.on((frame) => {
      if (frame.event !== "chat" || frame.payload.runId !== idempotencyKey) return;
      if (frame.payload.state === "delta") {
        first ??= frame.at;
        const words = frame.payload.message?.content?.[0]?.text?.split(" ").length ?? 0;
        deltas.push({ at: frame.at, words });
      }
      if (!["final", "error", "aborted"].includes(frame.payload.state)) return;
      stop();
      if (frame.payload.state === "final") resolve();
      else reject(new Error(`the turn ended with ${frame.payload.state}: ${frame.payload.errorMessage}`));
    });
  });
  await wire.request("chat.send", { sessionKey, message, idempotencyKey });
  await done;
  return { first: first ?? now(), deltas };
}

async function invocations(target, add, size) {
  const device = new Device();
  const node = { commands: ["system.which"], caps: ["system"] };
  const host = await Wire.open(target.url, { token: target.token, device, node });
  const operator = await Wire.open(target.url, target);
  const nodeId = device.id;
  host.on((frame) => {
    if (frame.event !== "node.invoke.request") return;
    const { id } = frame.payload;
    host.request("node.invoke.result", { id, nodeId, ok: true, payloadJSON: '{"bins":{}}' }).catch(() => {});
  });
  await approve(operator, nodeId);
  const invoke = () => operator.request("node.invoke", { nodeId, command: "system.which", params: { bins: [] }, timeoutMs: 10_000, idempotencyKey: randomUUID() });
  await patiently(invoke);
  const times = await repeat(size.invocations, invoke);
  add("`node.invoke` there and back, p50", "ms", percentile(times, 0.5));
  await Promise.all([host.close(), operator.close()]);
}

/** Answers yes to what a node asks for, as its user would: hello comes before the request does, so it is waited for. */
async function approve(operator, nodeId) {
  const requestId = await patiently(async () => {
    const { pending } = await operator.request("node.pair.list");
    const request = pending.find((entry) => entry.nodeId === nodeId);
    if (!request) throw new Error("the node asked for nothing");
    return request.requestId;
  });
  await operator.request("node.pair.approve", { requestId });
}

/** The clients are in a thread of their own, so that reading for 200 of them does not hold up the model. */
async function flood(target, add, size, provider) {
  const worker = new Worker(new URL("screens.mjs", import.meta.url), { workerData: { url: target.url, token: target.token, screens: size.screens } });
  const said = (wanted) => new Promise((resolve, reject) => {
    worker.on("message", (message) => message[wanted] !== undefined && resolve(message[wanted]));
    worker.once("error", reject);
  });
  const ended = said("ended");
  ended.catch(() => {});
  await said("ready");
  const wire = await Wire.open(target.url, target);
  await wire.request("chat.send", { sessionKey: "agent:main:flood", message: `flood [[fake tokens=${size.floodTokens}]]`, idempotencyKey: randomUUID() });
  const arrivals = await ended;
  const { sent } = provider.requests.findLast((request) => request.asked.includes("flood [["));
  add(`${size.floodTokens.toLocaleString("en")} tokens at once to ${size.screens} clients, last word at the slowest`, "ms", Math.max(...arrivals) - sent.at(-1));
  await worker.terminate();
  await wire.close();
}

/** Tries again for ten seconds: what was asked for may not be there yet, and a gateway that has just been filled may be busy. */
async function patiently(work) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === 20) throw error;
      await pause(500);
    }
  }
}

async function repeat(times, work) {
  for (let i = 0; i < 10; i += 1) await work();
  const taken = [];
  for (let i = 0; i < times; i += 1) taken.push(await timed(work));
  return taken;
}
