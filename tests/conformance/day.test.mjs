// What a page and a command line do with sessions, settings and the log in a day, asked of one running gateway. Each promise by itself.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Device, Wire } from "./bench/wire.mjs";
import { Gateway, until } from "./gateway.mjs";
import { MODEL, Provider, said } from "./kit/provider.mjs";

let provider, gateway, wire;
const call = (method, params = {}) => wire.request(method, params);
const refused = (answer, pattern) => assert.rejects(answer, (error) => pattern.test(error.message) || assert.fail(error.message));

before(async () => {
  provider = await Provider.start();
  const model = { id: MODEL, name: "Fake One", input: ["text", "image"], contextWindow: 128_000, maxTokens: 32_000 };
  const fake = { baseUrl: provider.url, apiKey: "a-key-of-the-fake-provider", api: "openai-completions", models: [model] };
  gateway = await Gateway.start({ models: { mode: "replace", providers: { fake } }, agents: { defaults: { model: { primary: `fake/${MODEL}` } } } });
  wire = await Wire.open(gateway.url, gateway);
});

after(async () => {
  await wire?.close();
  await gateway?.stop();
  await provider?.stop();
});

/** Collects the events of a connection from now on. */
function listen(on = wire) {
  const events = [];
  const stop = on.on((frame) => frame.type === "event" && events.push(frame));
  return { events, stop, of: (name) => events.filter((frame) => frame.event === name).map((frame) => frame.payload) };
}

/** The end of a run, as everybody is told it. */
const ended = (heard, run) =>
  until(`the end of ${run}`, () => heard.of("chat").find((chat) => chat.runId === run && ["final", "error", "aborted"].includes(chat.state)));

/** Says something and waits for the end of its run. */
async function turn(sessionKey, message, more = {}) {
  const heard = listen();
  const run = randomUUID();
  await call("chat.send", { sessionKey, message, idempotencyKey: run, ...more });
  const end = await ended(heard, run);
  heard.stop();
  return end;
}

const text = (end) => end.message?.content?.map((part) => part.text ?? "").join("") ?? "";
const row = async (key) => (await call("sessions.describe", { key, includeDerivedTitles: true, includeLastMessage: true })).session;

test("a session that is created with a message runs it, and is found by key, ids, label and address", async () => {
  const heard = listen();
  const made = await call("sessions.create", { agentId: "main", message: "plan the harbour trip [[fake tokens=3]]", label: "Harbour trip" });
  assert.deepEqual([made.runStarted, typeof made.runId], [true, "string"]);
  assert.equal((await ended(heard, made.runId)).state, "final");
  heard.stop();

  const { key } = made;
  const { sessionId } = await row(key);
  const shortId = key.split(":").at(-1).replaceAll("-", "").slice(0, 8);
  const ways = [{ key }, { sessionId }, { shortId }, { label: "Harbour trip" }, { reference: { key } }];
  for (const way of ways) {
    const found = await call("sessions.resolve", way);
    assert.equal(found.key, key, JSON.stringify(way));
  }
  await refused(call("sessions.resolve", { label: "nothing is called so" }), /no session found/i);
  assert.equal((await call("sessions.resolve", { label: "nothing is called so", allowMissing: true })).ok, false);
});

test("the main session stays, and another one goes with its last event", async () => {
  await refused(call("sessions.delete", { key: "agent:main:main" }), /main session/i);
  await turn("agent:main:gone", "hello [[fake tokens=2]]");
  await call("sessions.subscribe");
  const heard = listen();
  await call("sessions.delete", { key: "agent:main:gone" });
  await until("the event", () => heard.of("sessions.changed").find((change) => change.sessionKey === "agent:main:gone" && change.reason === "delete"));
  heard.stop();
  const { sessions } = await call("sessions.list", {});
  assert.ok(sessions.every((session) => session.key !== "agent:main:gone"));
});

test("a list shows titles, last words, pins, groups and what is unread, and all of it moves live", async () => {
  const key = "agent:main:titled";
  await turn(key, "Tell me about lighthouses [[fake tokens=4]]");
  await call("sessions.subscribe");
  const heard = listen();
  const groups = await call("sessions.groups.put", { names: ["Work", "Home"] });
  assert.deepEqual(groups.groups.map((group) => group.name), ["Work", "Home"]);
  await call("sessions.patch", { key, pinned: true, category: "Work", unread: true });
  const live = await until("the change", () => heard.of("sessions.changed").find((change) => change.sessionKey === key && change.session?.pinned));
  heard.stop();
  assert.equal(live.session.unread, true);

  const { sessions } = await call("sessions.list", { includeDerivedTitles: true, includeLastMessage: true });
  assert.equal(sessions[0].key, key, "what is pinned comes first");
  assert.match(sessions[0].derivedTitle, /lighthouses/);
  assert.match(sessions[0].lastMessagePreview, /^w0/);
  await call("sessions.groups.rename", { name: "Work", to: "Office" });
  assert.equal((await row(key)).category, "Office");
  await call("sessions.groups.delete", { name: "Office" });
  assert.equal((await row(key)).category, undefined);
  await call("sessions.patch", { key, pinned: false, unread: false, category: null });
});

test("branches, viewers, usage, compaction and previews tell what is there", async () => {
  const key = "agent:main:facts";
  await turn(key, "one [[fake tokens=3]]");
  await turn(key, "two [[fake tokens=5]]");
  const { branches } = await call("sessions.branches.list", { sessionKey: key });
  assert.deepEqual(branches.map((branch) => [branch.active, branch.messageCount]), [[true, 4]]);

  await call("sessions.viewers.set", { sessionKeys: [key] });
  await until("the viewer in the presence list", async () => {
    const entries = await call("system-presence");
    return entries.find((entry) => entry.watchedSessions?.includes(key));
  });
  const usage = await call("sessions.usage", { key });
  assert.equal(usage.totals.output, 8);
  const cost = await call("usage.cost", { days: 7 });
  assert.ok(cost.totals.totalTokens >= 8 && cost.daily.length >= 1, JSON.stringify(cost.totals));
  const { previews } = await call("sessions.preview", { keys: [key], limit: 2 });
  assert.deepEqual(previews[0].items.map((item) => item.text), ["two [[fake tokens=5]]", said(5)]);

  await call("sessions.subscribe");
  const heard = listen();
  const compacted = await call("sessions.compact", { key });
  assert.equal(compacted.compacted, true, JSON.stringify(compacted));
  await until("both events", () => (heard.of("session.operation").length >= 2 ? true : undefined));
  heard.stop();
  assert.deepEqual(heard.of("session.operation").map(({ operation, phase, completed }) => [operation, phase, completed]), [["compact", "start", undefined], ["compact", "end", true]]);
  await turn(key, "three [[fake tokens=2]]");
  const asked = JSON.stringify(provider.requests.at(-1).body.messages);
  assert.match(asked, /three/);
  assert.doesNotMatch(asked, /two \[\[fake/);
});

test("words are found in transcripts, and a fork hands back what its message had", async () => {
  const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
  const attachments = [{ type: "image", mimeType: "image/png", fileName: "dot.png", content: png.toString("base64") }];
  await turn("agent:main:forked", "an albatross in a picture [[fake tokens=2]]", { attachments });
  assert.equal(provider.requests.at(-1).images, true, "the model saw it");
  const { results } = await call("sessions.search", { query: "PICTURE albatross" });
  assert.equal(results[0].sessionKey, "agent:main:forked");
  const { messages } = await call("chat.history", { sessionKey: "agent:main:forked" });
  assert.equal(results[0].messageId, messages[0].__openclaw.id);

  const fork = await call("sessions.fork", { sessionKey: "agent:main:forked", entryId: messages[0].__openclaw.id });
  assert.match(fork.editorText, /albatross/);
  assert.deepEqual(fork.editorAttachments, [{ mimeType: "image/png", data: png.toString("base64") }]);
});

test("commands are answered by the gateway on every way in, and none of them reaches the model", async () => {
  const before = provider.requests.length;
  const commands = ["/status", "/help", "/model", "/models", "/think", "/verbose on", "/reasoning off", "/queue", "/context", "/usage", "/whoami"];
  for (const command of commands) {
    const end = await turn("agent:main:commands", command);
    assert.ok(end.state === "final" && text(end).length > 0, `${command}: ${JSON.stringify(end)}`);
  }
  const run = randomUUID();
  const answers = [];
  const stop = wire.on((frame) => frame.type === "res" && frame.payload?.runId === run && answers.push(frame.payload));
  await call("agent", { message: "/status", sessionKey: "agent:main:commands", idempotencyKey: run });
  const done = await until("the result", () => answers.find((answer) => answer.status !== "accepted"));
  stop();
  assert.match(done.result.payloads[0].text, /fake/);
  await call("sessions.send", { key: "agent:main:commands", message: "/verbose full" });
  await until("the level", async () => ((await row("agent:main:commands")).verboseLevel === "full" ? true : undefined));
  assert.equal(provider.requests.length, before);
  const { commands: listed } = await call("commands.list", { scope: "text" });
  for (const command of commands) assert.ok(listed.some((entry) => `/${entry.name}` === command.split(" ")[0]), command);
});

test("a second message steers the run, and a stop ends what runs", async () => {
  const heard = listen();
  const [first, second] = [randomUUID(), randomUUID()];
  const key = "agent:main:steered";
  await call("chat.send", { sessionKey: key, message: "long [[fake tokens=40 delay=20]]", idempotencyKey: first });
  await until("the first words", () => heard.of("chat").find((chat) => chat.runId === first && chat.state === "delta"));
  await call("chat.send", { sessionKey: key, message: "and shorter [[fake tokens=3]]", idempotencyKey: second });
  const taken = await ended(heard, second);
  const whole = await ended(heard, first);
  assert.deepEqual([taken.state, taken.message, whole.state], ["final", undefined, "final"]);
  assert.match(text(whole), /w39[\s\S]*w0 w1 w2$/);

  const third = randomUUID();
  await call("chat.send", { sessionKey: key, message: "stop me [[fake tokens=400 delay=20]]", idempotencyKey: third });
  await until("its first words", () => heard.of("chat").find((chat) => chat.runId === third && chat.state === "delta"));
  const aborted = await call("chat.abort", { sessionKey: key });
  assert.deepEqual(aborted.runIds, [third]);
  assert.equal((await ended(heard, third)).state, "aborted");
  heard.stop();
});

test("the screen that sent a message hears how far it is, others do not, and everybody hears of the task", async () => {
  const screen = await Wire.open(gateway.url, { token: gateway.token, device: new Device() });
  const [its, others] = [listen(screen), listen()];
  const run = randomUUID();
  await screen.request("chat.send", { sessionKey: "agent:main:timed", message: "hi [[fake tokens=3]]", idempotencyKey: run });
  await until("the last of it", () => its.of("chat.send_timing").find((timing) => timing.phase === "dispatch-completed"));
  const phases = its.of("chat.send_timing").map((timing) => timing.phase);
  assert.deepEqual(phases, ["dispatch-started", "agent-run-started", "model-selected", "first-assistant-event", "dispatch-completed"]);
  assert.deepEqual(others.of("chat.send_timing"), []);
  const states = await until("the end of the task", () => {
    const tasks = others.of("task").filter(({ task }) => task.runId === run);
    return tasks.at(-1)?.task.status === "completed" ? tasks.map(({ task }) => task.status) : undefined;
  });
  assert.deepEqual(states, ["running", "completed"]);
  its.stop();
  others.stop();
  await screen.close();
});

test("settings are read, explained, changed by form and by part, and kept as a history", async () => {
  const schema = await call("config.schema");
  assert.ok(schema.generatedAt && Object.keys(schema.uiHints).length > 50);
  const key = await call("config.schema.lookup", { path: "agents.defaults.timeoutSeconds" });
  assert.equal(key.path, "agents.defaults.timeoutSeconds");
  const read = await call("config.get");
  assert.deepEqual(read.issues, []);
  assert.doesNotMatch(JSON.stringify(read), /a-key-of-the-fake-provider/);
  const part = await call("config.patch", { raw: JSON.stringify({ agents: { defaults: { timeoutSeconds: 333 } } }), baseHash: read.hash });
  await refused(call("config.patch", { raw: "{}", baseHash: read.hash }), /hash|changed/i);
  const whole = { ...(await call("config.get")).parsed };
  whole.agents = { ...whole.agents, defaults: { ...whole.agents.defaults, timeoutSeconds: 222 } };
  const set = await call("config.set", { raw: JSON.stringify(whole), baseHash: part.hash });
  assert.equal((await call("config.apply", { raw: JSON.stringify(whole), baseHash: set.hash })).noop, true);
  const { revisions } = await call("config.revisions");
  assert.ok(revisions.length >= 2, JSON.stringify(revisions));
  await turn("agent:main:after-settings", "still there? [[fake tokens=2]]");
});

test("agents are made, named, given files and taken away", async () => {
  const made = await call("agents.create", { name: "Gardener", emoji: "🌱" });
  assert.equal(made.agentId, "gardener");
  await call("agents.update", { agentId: "gardener", name: "Head Gardener" });
  await until("its name", async () => ((await call("agent.identity.get", { agentId: "gardener" })).name === "Head Gardener" ? true : undefined));
  const file = await call("agents.files.set", { agentId: "gardener", name: "SOUL.md", content: "You love roses." });
  assert.equal(file.ok, true);
  assert.equal((await call("agents.files.get", { agentId: "gardener", name: "SOUL.md" })).file.content, "You love roses.");
  await turn("agent:gardener:main", "what do you love? [[fake tokens=2]]");
  assert.match(JSON.stringify(provider.requests.at(-1).body.messages), /You love roses/);
  for (const method of ["tools.catalog", "skills.status", "skills.proposals.list"]) await call(method, { agentId: "gardener" });
  assert.deepEqual((await call("tools.effective", { sessionKey: "agent:gardener:main" })).groups, []);
  await call("agents.delete", { agentId: "gardener" });
  // Each service takes a change of the document by itself, a moment after it is made.
  const send = () => call("chat.send", { sessionKey: "agent:gardener:main", message: "hi", idempotencyKey: randomUUID() });
  const refusal = await until("its refusal", () => send().then(() => undefined, (error) => error));
  assert.match(refusal.message, /gardener/);
});

test("the log is read to its end and on from there, and keys of providers stand in no answer", async () => {
  const first = await call("logs.tail", { limit: 50 });
  assert.ok(first.lines.length > 0 && first.cursor > 0);
  assert.equal((await call("logs.tail", { cursor: first.cursor })).reset, false);
  await turn("agent:main:logged", "fail [[fake status=400]]");
  const more = await until("what was logged since", async () => {
    const next = await call("logs.tail", { cursor: first.cursor, limit: 500 });
    return next.lines.some((line) => line.includes("400")) ? next : undefined;
  });
  assert.ok(more.cursor > first.cursor);
  const auth = await call("models.authStatus");
  assert.ok(auth.providers.some((entry) => entry.provider === "fake"), JSON.stringify(auth));
  assert.doesNotMatch(JSON.stringify([auth, more]), /a-key-of-the-fake-provider/);
});

test("a message to a platform is stored by the name of the action, and a platform that is not there is named", async () => {
  const send = (channel, params) => call("message.action", { channel, action: "send", params, idempotencyKey: randomUUID() });
  await refused(send("telegram", { target: "123", message: "hi" }), /telegram/);
  await refused(call("message.action", { channel: "irc", action: "react", params: {}, idempotencyKey: randomUUID() }), /react/);
});

test("what a node saw reaches whoever asked, as large as a frame holds, and its neighbours go on", async () => {
  const device = new Device();
  const node = { commands: ["kit.film"], caps: ["system"] };
  const { hash } = await call("config.get");
  await call("config.patch", { raw: JSON.stringify({ gateway: { nodes: { commands: { allow: ["kit.film"] } } } }), baseHash: hash });
  const host = await Wire.open(gateway.url, { token: gateway.token, device, node });
  const film = "x".repeat(24 << 20);
  host.on((frame) => {
    if (frame.event !== "node.invoke.request") return;
    host.request("node.invoke.result", { id: frame.payload.id, nodeId: device.id, ok: true, payload: { film } }).catch((error) => assert.fail(error));
  });
  const request = await until("the node's request", async () => (await call("node.pair.list")).pending.find((entry) => entry.nodeId === device.id));
  await call("node.pair.approve", { requestId: request.requestId });
  const other = await Wire.open(gateway.url, gateway);
  let [asking, slowest] = [true, 0];
  const neighbour = (async () => {
    while (asking) {
      const began = performance.now();
      await other.request("health");
      slowest = Math.max(slowest, performance.now() - began);
      await new Promise((wake) => setTimeout(wake, 20));
    }
  })();
  const invoke = () => call("node.invoke", { nodeId: device.id, command: "kit.film", params: {}, timeoutMs: 30_000, idempotencyKey: randomUUID() });
  const answer = await until("the answer", () => invoke().catch((error) => (/not allow|pending/.test(error.message) ? undefined : Promise.reject(error))), 60_000);
  asking = false;
  await neighbour;
  assert.equal(answer.payload.film.length, film.length);
  assert.ok(slowest < 5_000, `a neighbour waited ${slowest} ms`);
  await Promise.all([host.close(), other.close()]);
});

test("a run that dies with its process reaches whoever is connected and whoever comes back as one end", async () => {
  const key = "agent:main:cut";
  const heard = listen();
  const run = randomUUID();
  await call("chat.send", { sessionKey: key, message: "long [[fake tokens=300 delay=20]]", idempotencyKey: run });
  await until("the first words", () => heard.of("chat").find((chat) => chat.runId === run && chat.state === "delta"));
  process.kill(await service("session"), "SIGKILL");

  // The next process asks once more: a run that was only shown is run again.
  const end = await ended(heard, run).catch(() => undefined);
  const missed = end ?? (await until("the end", () => heard.of("chat").find((chat) => chat.runId === run && chat.state === "final"), 30_000));
  assert.ok(["final", "error"].includes(missed.state));
  heard.stop();
  const ends = heard.of("chat").filter((chat) => chat.runId === run && ["final", "error", "aborted"].includes(chat.state));
  assert.equal(ends.length, 1);
  const { messages, inFlightRun } = await call("chat.history", { sessionKey: key });
  assert.equal(inFlightRun, undefined);
  assert.equal(messages.filter((message) => message.role === "assistant").length, 1);
});

/** The process of a service of the gateway. */
async function service(name) {
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const words = await readFile(join("/proc", pid, "cmdline"), "utf8").then((line) => line.split("\0"), () => []);
    const parent = await readFile(join("/proc", pid, "stat"), "utf8").then((line) => Number(line.split(") ").at(-1).split(" ")[1]), () => 0);
    if (words[1] === name && parent === gateway.child.pid) return Number(pid);
  }
  throw new Error(`no process of ${name} below ${gateway.child.pid}`);
}
