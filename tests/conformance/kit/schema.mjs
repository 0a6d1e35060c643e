// Frames of a gateway against the published schema of the protocol: what does not fit, counted by kind.

import { readFileSync } from "node:fs";
import Ajv from "ajv";

const published = new URL("../node_modules/@openclaw/gateway-protocol/protocol.schema.json", import.meta.url);
const schema = JSON.parse(readFileSync(published, "utf8"));
const ajv = new Ajv({ strict: false, allErrors: false });
ajv.addSchema(schema, "protocol");

/** Answers whose definition is not called like their method. */
const RESULTS = {
  "config.schema": "ConfigSchemaResponse",
  "agent.identity.get": "AgentIdentityResult",
  "commands.list": "CommandsListResult",
  connect: "HelloOk",
  "sessions.viewers.set": "SessionsViewerPresenceSetResult",
};
const EVENTS = {
  agent: "AgentEvent",
  chat: "ChatEvent",
  "device.pair.requested": "DevicePairRequestedEvent",
  "device.pair.resolved": "DevicePairResolvedEvent",
  "node.invoke.request": "NodeInvokeRequestEvent",
  shutdown: "ShutdownEvent",
  tick: "TickEvent",
};

const words = (method) => method.split(/[.-]/).map((word) => word[0].toUpperCase() + word.slice(1)).join("");

export const resultOf = (method) => [RESULTS[method], `${words(method)}Result`].find((name) => name && schema.definitions[name]);

/** What is wrong with `value` as a `name` of the schema; nothing if it fits or the schema has no such name. */
export function misfit(name, value) {
  const validate = name && ajv.getSchema(`protocol#/definitions/${name}`);
  if (!validate || validate(value)) return undefined;
  const [error] = validate.errors;
  const what = error.params.additionalProperty ?? error.params.missingProperty ?? "";
  return `${error.instancePath.replace(/\/\d+/g, "/*")} ${error.message} ${what}`.trim();
}

/** All misfits of what a recorder kept: `{kind, problem, count}`, and how many frames and payloads were looked at. */
export function inspect(recorded) {
  const asked = new Map();
  const found = new Map();
  let looked = 0;
  const look = (kind, name, value) => {
    looked += 1;
    const problem = misfit(name, value);
    if (problem === undefined) return;
    const key = `${kind}: ${problem}`;
    const entry = found.get(key) ?? { kind, problem, count: 0, sample: JSON.stringify(value)?.slice(0, 300) };
    entry.count += 1;
    found.set(key, entry);
  };
  for (const { connection, from, frame } of recorded) {
    if (from === "client") asked.set(`${connection}:${frame.id}`, frame.method);
    else if (frame.type === "event") {
      look(`event ${frame.event}`, "EventFrame", frame);
      look(`event ${frame.event}`, EVENTS[frame.event], frame.payload);
      for (const row of rows(frame.payload)) look("a session's row in an event", "SessionRow", row);
    } else {
      const method = asked.get(`${connection}:${frame.id}`) ?? "an answer to nothing";
      look(`answer to ${method}`, "ResponseFrame", frame);
      if (frame.ok && frame.payload?.status !== "accepted") look(`answer to ${method}`, resultOf(method), frame.payload);
    }
  }
  return { looked, misfits: [...found.values()].sort((a, b) => b.count - a.count) };
}

const rows = (payload) => (payload?.session?.key ? [payload.session] : []);

/** Holes in the numbers of events, connection by connection. */
export function holes(recorded) {
  const last = new Map();
  const found = [];
  for (const { connection, from, frame } of recorded) {
    if (from !== "gateway" || frame.type !== "event" || frame.seq === undefined) continue;
    const before = last.get(connection) ?? 0;
    if (frame.seq !== before + 1) found.push(`connection ${connection}: ${frame.event} has ${frame.seq} after ${before}`);
    last.set(connection, frame.seq);
  }
  return found;
}
