// Every frame that left the gateway while the clients were at work, against the published schema.

import assert from "node:assert/strict";

import { holes, inspect } from "./schema.mjs";

const ANSWER_DEADLINE_MS = 30_000;

/** What OpenClaw's own gateway sends beside its own schema, and clients read: no client is told less for it. */
const AS_OPENCLAW_ITSELF = [/^event agent: must NOT have additional properties (sessionKey|agentId)/];

export async function frames(report, { recorder, target }) {
  const { looked, misfits } = inspect(recorder.frames);
  await report.check("frames", "every frame fits the published schema", () => {
    assert.ok(looked > 0, "nothing was recorded");
    report.frames = { looked, misfits };
    const ours = misfits.filter(({ kind, problem }) => target.name === "openclaw" || !AS_OPENCLAW_ITSELF.some((known) => known.test(`${kind}: ${problem}`)));
    if (ours.length > 0) throw new Error(ours.map(({ kind, problem, count }) => `${kind}: ${problem} (${count} times)`).join("; "));
  });
  await report.check("frames", "events are numbered without a hole", () => assert.deepEqual(holes(recorder.frames), []));
  await report.check("frames", "no request waits longer than 30 s for its answer", () => {
    const open = new Map();
    for (const { connection, from, at, frame } of recorder.frames) {
      if (from === "client" && frame.type === "req") open.set(`${connection}:${frame.id}`, { connection, at, method: frame.method });
      if (from === "gateway" && frame.type === "res") open.delete(`${connection}:${frame.id}`);
    }
    // What a client asked last before it went away is not counted.
    const waited = ({ connection, at }) => (recorder.ended.get(connection) ?? Date.now()) - at;
    assert.deepEqual([...open.values()].filter((request) => waited(request) > ANSWER_DEADLINE_MS).map(({ method }) => method), []);
  });
}
