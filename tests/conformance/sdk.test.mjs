// The published SDKs, unchanged, against the gateway's endpoints in OpenAI's form. The judge is the model's own socket: what it sent is
// what an SDK sees.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, streamText, tool } from "ai";
import OpenAI from "openai";

import { Gateway, until } from "./gateway.mjs";
import { Model, USAGE, config, words } from "./sdks/model.mjs";

const PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const LS = { type: "function", function: { name: "ls", description: "lists", parameters: { type: "object", properties: { path: { type: "string" } } } } };
const user = (content) => [{ role: "user", content }];
// What a careless hand on the way would change: white space, the words of the wire itself, letters of many bytes, marks of JSON and Markdown.
// Blanks at the beginning of a line come with the word behind them, because a thought may begin there: the text is what counts here.
const ODD = [" ", "\n\n", "\t", "data: x", "[DONE]", "\r\n", "\u{1F469}\u200d\u{1F467}", "e\u0301", "\\n", '"', "{}", "```js\n", "<b>&amp;", "\u2028", "**", " end "];
/** An answer that goes on and on, which says when its reader has gone. */
function endless(count = 100) {
  const script = { ...words(...Array(count).fill("on ")), pause: 50, isLeft: false };
  return Object.assign(script, { left: () => (script.isLeft = true) });
}

/** What the model was sent behind so many requests: the picture once, byte for byte, and the result of its call. */
function assertSent(before, result) {
  const sent = model.requests.slice(before).flatMap(({ messages }) => messages);
  const parts = sent.flatMap(({ content }) => (Array.isArray(content) ? content : []));
  assert.deepEqual(parts.filter(({ type }) => type === "image_url").map(({ image_url }) => image_url.url), [PIXEL]);
  assert.deepEqual(sent.filter(({ role }) => role === "tool").map(({ content }) => content), [result]);
}

let model, gateway, openai;
before(async () => {
  model = await Model.start();
  gateway = await Gateway.start(config(model));
  openai = client();
});
after(async () => {
  await gateway.stop();
  await model.stop();
});

afterEach(() => model.forget());

const base = () => `${gateway.url.replace("ws://", "http://")}/v1`;
const client = (more) => new OpenAI({ baseURL: base(), apiKey: gateway.token, maxRetries: 0, ...more });

async function rpc(method, params = {}) {
  const answer = await fetch(`${base().replace("/v1", "/rpc")}/${method}`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.token}` },
    body: JSON.stringify(params),
  });
  return answer.json();
}

test("openai: the agents are models", async () => {
  const ids = (await openai.models.list()).data.map((model) => model.id);
  assert.ok(["openclaw", "openclaw/default", "openclaw/main", "openclaw/work", "gatehouse/work"].every((id) => ids.includes(id)), ids.join());
  assert.equal((await openai.models.retrieve("openclaw/work")).owned_by, "openclaw");
  await assert.rejects(openai.models.retrieve("openclaw/nobody"), { status: 404, code: "model_not_found" });
});

test("openai: a conversation reaches the model and its answer comes back, with what it cost", async () => {
  model.next(words("It is ", "**empty**.\n", " ", "ü"));
  const messages = [
    { role: "system", content: "be kind" },
    { role: "user", content: "hello" },
    { role: "assistant", content: "hi" },
    { role: "developer", content: "be brief" },
    ...user("what is here?"),
  ];
  const answer = await openai.chat.completions.create({ model: "openclaw", messages, temperature: 0.25, max_completion_tokens: 99 });

  assert.equal(answer.choices[0].message.content, "It is **empty**.\n ü");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.deepEqual(answer.usage, USAGE);
  const sent = model.last;
  assert.match(sent.messages[0].content, /be kind\n\nbe brief$/);
  assert.deepEqual(sent.messages.slice(1).map(({ role, content }) => [role, content]), [["user", "hello"], ["assistant", "hi"], ["user", "what is here?"]]);
  assert.equal(sent.temperature, 0.25);
  assert.equal(sent.max_tokens ?? sent.max_completion_tokens, 99);

  // The same durable turn as any other: its session is listed, with the whole conversation in it.
  const { sessions } = await rpc("sessions.list", { limit: 50 });
  const session = sessions.find((session) => session.lastRunId === answer.id);
  assert.match(session.key, /^agent:main:openai:/);
  const history = await rpc("chat.history", { sessionKey: session.key });
  assert.deepEqual(history.messages.map(({ role }) => role), ["user", "assistant", "user", "assistant"]);
});

for (const together of [false, true]) {
  test(`openai: each delta of the model is one chunk${together ? ", also when many come in one write" : ""}`, async () => {
    const texts = Array.from({ length: 60 }, (_, n) => (n % 7 === 3 ? "\n" : `w${n} `));
    model.next({ ...words(...texts), together });
    const stream = await openai.chat.completions.create({ model: "openclaw/main", messages: user("go"), stream: true, stream_options: { include_usage: true } });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);

    const seen = chunks.map((chunk) => chunk.choices[0]?.delta.content).filter((text) => text);
    assert.deepEqual(seen, texts);
    assert.equal(chunks[0].choices[0].delta.role, "assistant");
    assert.deepEqual(chunks.map((chunk) => chunk.choices[0]?.finish_reason).filter((reason) => reason), ["stop"]);
    assert.deepEqual(chunks.at(-1).usage, USAGE);
    assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
  });
}

test("openai: what the model writes is what is read, letter by letter", async () => {
  model.next(words(...ODD), words(...ODD), words(...ODD));
  const seen = [];
  for await (const chunk of await openai.chat.completions.create({ model: "openclaw", messages: user("go"), stream: true })) {
    if (chunk.choices[0]?.delta.content) seen.push(chunk.choices[0].delta.content);
  }
  assert.equal(seen.join(""), ODD.join(""));
  const whole = await openai.chat.completions.create({ model: "openclaw", messages: user("go") });
  assert.equal(whole.choices[0].message.content, ODD.join(""));
  const deltas = [];
  for await (const event of await openai.responses.create({ model: "openclaw", input: "go", stream: true })) {
    if (event.type === "response.output_text.delta") deltas.push(event.delta);
  }
  assert.equal(deltas.join(""), ODD.join(""));
});

test("openai: what a model thought without saying so is no answer, where all of it is answered at once", async () => {
  const thinks = words("They", " greet me.", "</think>\n\n", "Hello", " there");
  model.next(thinks, thinks);
  const { message } = (await openai.chat.completions.create({ model: "openclaw", messages: user("hi") })).choices[0];
  assert.deepEqual([message.content, message.reasoning_content], ["Hello there", "They greet me."]);
  const { output, output_text } = await openai.responses.create({ model: "openclaw", input: "hi" });
  assert.deepEqual([output.map(({ type }) => type), output_text], [["reasoning", "message"], "Hello there"]);
});

test("openai: tokens come when the model writes them, and not later", async () => {
  const seen = [];
  model.next({ ...words("a", "b", "c", "d"), heard: (n) => until(`word ${n}`, () => seen.length === n || undefined) });
  const stream = await openai.chat.completions.create({ model: "openclaw", messages: user("slowly"), stream: true });
  for await (const chunk of stream) if (chunk.choices[0].delta.content) seen.push(chunk.choices[0].delta.content);
  assert.deepEqual(seen, ["a", "b", "c", "d"]);
});

test("openai: tools go to the model, its calls come back, and their results go to it", async () => {
  const calls = [
    { index: 0, id: "c1", type: "function", function: { name: "ls", arguments: "" } },
    { index: 0, function: { arguments: '{"path": ' } },
    { index: 0, function: { arguments: '"."}' } },
    { index: 1, id: "c2", type: "function", function: { name: "ls", arguments: '{"path":"/"}' } },
  ];
  model.next({ deltas: calls.map((call) => ({ tool_calls: [call] })), finish: "tool_calls" });
  const stream = openai.chat.completions.stream({ model: "openclaw", messages: user("look"), tools: [LS], tool_choice: "auto", parallel_tool_calls: true });
  const { choices } = await stream.finalChatCompletion();

  assert.equal(choices[0].finish_reason, "tool_calls");
  const made = choices[0].message.tool_calls.map(({ id, function: { name, arguments: given } }) => [id, name, given]);
  assert.deepEqual(made, [["c1", "ls", '{"path": "."}'], ["c2", "ls", '{"path":"/"}']]);
  assert.deepEqual(model.last.tools, [LS]);
  assert.equal(model.last.tool_choice, "auto");
  assert.equal(model.last.parallel_tool_calls, true);

  model.next(words("Nothing."));
  const { role, content, tool_calls } = choices[0].message;
  const results = ["none", "etc"].map((content, n) => ({ role: "tool", tool_call_id: `c${n + 1}`, content }));
  const answer = await openai.chat.completions.create({ model: "openclaw", messages: [...user("look"), { role, content, tool_calls }, ...results], tools: [LS] });
  assert.equal(answer.choices[0].message.content, "Nothing.");
  const [, asked, called, first, second] = model.last.messages[0].role === "system" ? model.last.messages : [null, ...model.last.messages];
  assert.equal(asked.content, "look");
  assert.deepEqual(called.tool_calls.map((call) => call.function.arguments), ['{"path": "."}', '{"path":"/"}']);
  assert.deepEqual([first, second].map(({ role, tool_call_id, content }) => [role, tool_call_id, content]), [["tool", "c1", "none"], ["tool", "c2", "etc"]]);
});

test("openai: a picture reaches a model that sees, byte for byte, and an address is not fetched", async () => {
  model.next(words("A pixel."));
  const content = [{ type: "text", text: "what is it?" }, { type: "image_url", image_url: { url: PIXEL } }];
  await openai.chat.completions.create({ model: "openclaw", messages: user(content) });
  const parts = model.last.messages.at(-1).content;
  assert.equal(parts.find((part) => part.type === "image_url").image_url.url, PIXEL);

  const fetched = [{ type: "image_url", image_url: { url: "http://127.0.0.1:1/a.png" } }];
  await assert.rejects(openai.chat.completions.create({ model: "openclaw", messages: user(fetched) }), { status: 400, code: "image_url_not_fetched", param: "messages[0].content[0].image_url.url" });
});

test("openai: what no model would read is refused by its place, and the model is asked nothing", async () => {
  const requests = model.requests.length;
  const chat = (messages, more) => openai.chat.completions.create({ model: "openclaw", messages, ...more });
  const [text, url] = [{ type: "text", text: "see" }, "messages[0].content[1].image_url.url"];
  for (const broken of ["data:image/png;base64,", "data:image/png;base64,aGVsbG8=", "data:image/png,raw", PIXEL.slice(0, 40)]) {
    await assert.rejects(chat(user([text, { type: "image_url", image_url: { url: broken } }])), { status: 400, type: "invalid_request_error", param: url }, broken);
  }
  const wave = Buffer.from("RIFF\x24\0\0\0WAVEfmt ").toString("base64");
  for (const data of ["", "aGVsbG8=", wave]) {
    const part = { type: "input_audio", input_audio: { data, format: "wav" } };
    await assert.rejects(chat(user([text, part])), { status: 400, param: "messages[0].content[1].input_audio.data" }, data);
  }
  const orphan = [...user("hi"), { role: "tool", tool_call_id: "c1", content: "x" }];
  for (const messages of [orphan, [...orphan, ...user("well?")]]) {
    await assert.rejects(chat(messages), { status: 400, code: "tool_call_not_found", param: "messages[1].tool_call_id" });
  }
  const output = { type: "function_call_output", call_id: "c1", output: "x" };
  await assert.rejects(openai.responses.create({ model: "openclaw", input: [...user("hi"), output] }), { status: 400, param: "input[1].call_id" });
  const before = await openai.responses.create({ model: "openclaw", input: "hi" });
  await assert.rejects(openai.responses.create({ model: "openclaw", previous_response_id: before.id, input: [output] }), { status: 400, code: "tool_call_not_found", param: "input[0].call_id" });
  await assert.rejects(openai.responses.create({ model: "openclaw", input: "hi", prompt: { id: "p" } }), { status: 400, param: "prompt" });
  await assert.rejects(chat(user("hi"), { logprobs: true, top_logprobs: 2 }), { status: 400, code: "unsupported_parameter", param: "logprobs" });
  await assert.rejects(chat(user("x".repeat(1024 * 1024 + 1))), { status: 400, param: "messages[0].content" });
  assert.equal(model.requests.length, requests + 1);
});

test("openai: what goes wrong has a status, a code and the parameter", async () => {
  const create = (more, options) => openai.chat.completions.create({ model: "openclaw", messages: user("hi"), ...more }, options);
  await assert.rejects(create({ model: "gpt-5" }), { status: 400, code: "model_not_found", param: "model" });
  await assert.rejects(create({ model: "openclaw/nobody" }), { status: 400, code: "model_not_found", param: "model" });
  await assert.rejects(create({}, { headers: { "x-openclaw-session-key": "subagent:x" } }), { status: 400, param: "x-openclaw-session-key" });
  await assert.rejects(client({ apiKey: "wrong" }).chat.completions.create({ model: "openclaw", messages: user("hi") }), { status: 401, code: "invalid_api_key" });
  const reader = create({}, { headers: { "x-openclaw-scopes": "operator.read" } });
  await assert.rejects(reader, (error) => error.status === 403 && error.code === "missing_scope" && error.error.details.missingScope === "operator.write");
  for (const stream of [false, true]) {
    model.next(...Array(2).fill({ status: 400, error: "unknown word: frobnicate" }));
    await assert.rejects(create({ stream }), { status: 400, code: "model_refused_request" });
  }
  const large = await fetch(`${base()}/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${gateway.token}` }, body: " ".repeat(26 * 1024 * 1024) });
  assert.deepEqual([large.status, (await large.json()).error.code], [413, "request_too_large"]);
  const got = await fetch(`${base()}/chat/completions`, { headers: { authorization: `Bearer ${gateway.token}` } });
  assert.deepEqual([got.status, got.headers.get("allow")], [405, "POST"]);
  for (const path of ["/v1/chat//completions", "/v1/chat/%63ompletions", "/v1/chat%2Fcompletions", "/V1/chat/completions", "/v1/chat/completions/"]) {
    const answer = await fetch(base().replace("/v1", path), { method: "POST", body: "{}" });
    assert.equal(answer.status, 404, path);
  }
});

test("openai: what breaks in the middle of a stream is an error, and what was said before it is there", async () => {
  model.next({ deltas: [{ content: "half" }, { error: "x" }], finish: "error" });
  const stream = await openai.chat.completions.create({ model: "openclaw", messages: user("hi"), stream: true });
  let said = "";
  await assert.rejects(async () => {
    for await (const chunk of stream) said += chunk.choices[0]?.delta.content ?? "";
  }, OpenAI.APIError);
  assert.equal(said, "half");
});

test("openai: who goes away stops the run, and the model's connection with it", async () => {
  const cut = model.cut;
  model.next({ ...words(...Array(100).fill("on ")), pause: 50 });
  const stream = await openai.chat.completions.create({ model: "openclaw", messages: user("hi"), stream: true });
  for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
  stream.controller.abort();
  await until("the model's connection to end", () => (model.cut > cut ? true : undefined), 5_000);

  model.next({ ...words(...Array(100).fill("on ")), pause: 50 });
  const waiting = new AbortController();
  const asked = openai.chat.completions.create({ model: "openclaw", messages: user("hi") }, { signal: waiting.signal });
  const requests = model.requests.length;
  await until("the question", () => (model.requests.length > requests ? true : undefined));
  waiting.abort();
  await assert.rejects(asked, OpenAI.APIUserAbortError);
  await until("the model's connection to end", () => (model.cut > cut + 1 ? true : undefined), 5_000);
});

test("openai: who asked for it in the background may go away, and finds the whole answer later", async () => {
  const going = endless(20);
  model.next(going);
  const stream = await openai.chat.completions.create({ model: "openclaw", messages: user("hi"), stream: true, background: true, user: "Bea" });
  for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
  stream.controller.abort();
  await until("the whole answer", async () => {
    const { messages = [] } = await rpc("chat.history", { sessionKey: "agent:main:openai-user:bea" });
    return JSON.stringify(messages).includes("on ".repeat(20).trim()) || undefined;
  });
  assert.equal(going.isLeft, false);
});

test("openai: a run is stopped by whoever sees it, and its client is told", async () => {
  model.next({ ...words(...Array(100).fill("on ")), pause: 50 });
  const stream = await openai.chat.completions.create({ model: "openclaw", messages: user("hi"), stream: true });
  let isStopped = false;
  await assert.rejects(async () => {
    for await (const chunk of stream) {
      if (isStopped || !chunk.choices[0]?.delta.content) continue;
      isStopped = true;
      const { sessions } = await rpc("sessions.list", { limit: 50 });
      const { key } = sessions.find((session) => session.lastRunId === chunk.id);
      assert.equal((await rpc("chat.abort", { sessionKey: key, runId: chunk.id })).aborted, true);
    }
  }, (error) => error.code === "run_aborted");
});

test("openai: a repeat with the same key asks the model once, and one with other words is refused", async () => {
  model.next(words("once"));
  const requests = model.requests.length;
  const create = (content) => openai.chat.completions.create({ model: "openclaw", messages: user(content) }, { headers: { "idempotency-key": "a-key" } });
  const [first, second] = [await create("hi"), await create("hi")];
  assert.deepEqual([second.id, second.choices], [first.id, first.choices]);
  assert.equal(model.requests.length, requests + 1);
  await assert.rejects(create("other"), { status: 409, code: "idempotency_conflict" });
});

test("openai: a model that is busy is asked again by the SDK, and its answer comes", async () => {
  const busy = { status: 503, error: "busy" };
  model.next(busy, busy, words("at last"));
  const answer = await client({ maxRetries: 2 }).chat.completions.create({ model: "openclaw", messages: user("hi") });
  assert.equal(answer.choices[0].message.content, "at last");
});

test("openai: a user has one session, and a header names one", async () => {
  const create = (content, more, headers) => openai.chat.completions.create({ model: "openclaw", messages: user(content), ...more }, { headers });
  model.next(words("one"), words("two"), words("three"));
  await create("first", { user: "Ann" });
  await create("second", { user: "Ann" });
  const said = model.last.messages.filter(({ role }) => role !== "system").map(({ content }) => content);
  assert.deepEqual(said, ["first", "one", "second"]);
  await create("third", {}, { "x-openclaw-session-key": "notes", "x-openclaw-agent-id": "work", "x-openclaw-model": "fake/other" });
  assert.equal(model.last.model, "other");
  const { sessions } = await rpc("sessions.list", { limit: 50 });
  assert.ok(["agent:main:openai-user:ann", "agent:work:notes"].every((key) => sessions.some((session) => session.key === key)));
});

test("openai: a response is made item by item, and goes on from the one before", async () => {
  const texts = ["I ", "look", "."];
  const call = { index: 0, id: "c1", type: "function", function: { name: "ls", arguments: '{"path":"."}' } };
  model.next({ deltas: [{ reasoning_content: "hm" }, ...texts.map((content) => ({ content })), { tool_calls: [call] }], finish: "tool_calls" });
  const { function: ls } = LS;
  const tools = [{ type: "function", strict: false, ...ls }];
  const stream = await openai.responses.create({ model: "openclaw", instructions: "be kind", input: "what is here?", tools, stream: true });
  const events = [];
  for await (const event of stream) events.push(event);

  const deltas = events.filter(({ type }) => type === "response.output_text.delta").map(({ delta }) => delta);
  assert.deepEqual(deltas, texts, "a piece of the model's is one of the response");
  assert.deepEqual(events.map(({ sequence_number }) => sequence_number), events.map((_, n) => n));
  const { response } = events.at(-1);
  assert.equal(response.status, "completed");
  assert.deepEqual(response.output.map(({ type }) => type), ["reasoning", "message", "function_call"]);
  assert.equal(response.usage.total_tokens, USAGE.total_tokens);
  assert.deepEqual(model.last.tools, [{ type: "function", function: { strict: false, ...ls } }]);

  model.next(words("Nothing."));
  const output = { type: "function_call_output", call_id: "c1", output: "none" };
  const next = await openai.responses.create({ model: "openclaw", previous_response_id: response.id, input: [output], tools });
  assert.equal(next.output_text, "Nothing.");
  const roles = (sent) => sent.messages.map(({ role }) => role).filter((role) => role !== "system");
  assert.deepEqual(roles(model.last), ["user", "assistant", "tool"]);
  assert.equal(model.last.messages.at(-1).content, "none");

  // From the first one again: the conversation as it was then, whatever was said since.
  model.next(words("Other."));
  const other = [output, { role: "user", content: "well?" }];
  await openai.responses.create({ model: "openclaw", previous_response_id: response.id, input: other, tools });
  assert.deepEqual(roles(model.last), ["user", "assistant", "tool", "user"]);
  await assert.rejects(openai.responses.create({ model: "openclaw", previous_response_id: "resp_none", input: "hi" }), { status: 400, code: "previous_response_not_found" });
});

test("openai: a response that breaks has failed, with what it said, and one that is cut is incomplete", async () => {
  const last = async (script) => {
    model.next(script);
    let event;
    for await (const next of await openai.responses.create({ model: "openclaw", input: "hi", stream: true })) event = next;
    return event;
  };
  const broken = await last({ deltas: [{ content: "half" }, { error: "x" }], finish: "error" });
  assert.deepEqual([broken.type, broken.response.output[0].content[0].text], ["response.failed", "half"]);
  const cut = await last({ ...words("half"), finish: "length" });
  assert.deepEqual([cut.type, cut.response.incomplete_details.reason], ["response.incomplete", "max_output_tokens"]);
});

const PYTHON = fileURLToPath(new URL("python", import.meta.url));
const hasPython = existsSync(join(PYTHON, "openai"));

test("openai of PyPI: text, a stream, tools, a picture, refusals, a second try and a client that goes away", { skip: !hasPython && "not installed here: deploy/prerequisites.sh says how" }, async () => {
  const call = { index: 0, id: "c1", type: "function", function: { name: "ls", arguments: "{}" } };
  const busy = { status: 503, error: "busy" };
  const broken = { deltas: [{ content: "half" }, { error: "x" }], finish: "error" };
  const going = endless();
  model.next(words("He", "llo"), words("a ", "b"), { deltas: [{ tool_calls: [call] }], finish: "tool_calls" }, words("empty"), words("a dot"), words("x", "y"));
  model.next(busy, busy, words("again"), busy, busy, words("at last"), broken, words(...ODD), going);
  const before = model.requests.length;
  const env = { ...process.env, PYTHONPATH: PYTHON, BASE_URL: base(), TOKEN: gateway.token, PIXEL };
  const { stdout } = await promisify(execFile)("python3", [fileURLToPath(new URL("sdks/openai_python.py", import.meta.url))], { env });
  const seen = JSON.parse(stdout);
  assert.ok(seen.models.includes("openclaw/main"));
  delete seen.models;
  assert.deepEqual(seen, {
    whole: ["Hello", "stop", USAGE.total_tokens],
    stream: ["a ", "b"],
    calls: [["c1", "{}"]],
    called: "empty",
    picture: "a dot",
    response: ["x", "y"],
    status: "completed",
    key: [401, "invalid_api_key"],
    busy: seen.busy,
    retried: "at last",
    broken: ["half", "APIError"],
    odd: ODD.join(""),
    left: "on ",
  });
  assert.ok(seen.busy[0] === 429 || seen.busy[0] >= 500, seen.busy.join());
  assertSent(before, "nothing");
  await until("the model's connection to end", () => going.isLeft || undefined, 5_000);
});

test("litellm of PyPI: text, a stream, tools, a picture, refusals and a second try", { skip: !existsSync(join(PYTHON, "litellm")) && "not installed here: deploy/prerequisites.sh says how" }, async () => {
  const call = { index: 0, id: "c1", type: "function", function: { name: "ls", arguments: "{}" } };
  const busy = { status: 503, error: "busy" };
  const broken = { deltas: [{ content: "half" }, { error: "x" }], finish: "error" };
  const going = endless();
  model.next(words("He", "llo"), words("a ", "b"), { deltas: [{ tool_calls: [call] }], finish: "tool_calls" }, words("empty"), words("a dot"), busy, busy, words("at last"), broken, words(...ODD), going);
  const before = model.requests.length;
  const env = { ...process.env, PYTHONPATH: PYTHON, BASE_URL: base(), TOKEN: gateway.token, PIXEL, LITELLM_LOCAL_MODEL_COST_MAP: "True" };
  const { stdout } = await promisify(execFile)("python3", [fileURLToPath(new URL("sdks/litellm_python.py", import.meta.url))], { env });
  assert.deepEqual(JSON.parse(stdout), {
    whole: ["Hello", "stop", USAGE.total_tokens],
    stream: ["a ", "b"],
    cost: [USAGE.total_tokens],
    calls: ["c1", "ls", "{}"],
    called: "empty",
    picture: "a dot",
    key: ["AuthenticationError", 401],
    model: ["BadRequestError", 400],
    retried: "at last",
    broken: ["half", "refused"],
    odd: ODD.join(""),
    left: "on ",
  });
  assertSent(before, "nothing");
  await until("the model's connection to end", () => going.isLeft || undefined, 5_000);
});

test("ai: text, a stream, tools, a picture, refusals, a second try and a client that goes away", async () => {
  const provider = createOpenAICompatible({ name: "gatehouse", baseURL: base(), apiKey: gateway.token, includeUsage: true });
  model.next(words("He", "llo"));
  const whole = await generateText({ model: provider("openclaw"), prompt: "hi", system: "be kind" });
  assert.equal(whole.text, "Hello");

  model.next(words(...ODD));
  const streamed = streamText({ model: provider("openclaw"), prompt: "hi" });
  const seen = [];
  for await (const text of streamed.textStream) seen.push(text);
  assert.equal(seen.join(""), ODD.join(""));
  assert.equal((await streamed.usage).outputTokens, USAGE.completion_tokens);

  const call = { index: 0, id: "c9", type: "function", function: { name: "ls", arguments: '{"path":"x"}' } };
  model.next({ deltas: [{ tool_calls: [call] }], finish: "tool_calls" }, words("done"));
  const given = [];
  const ls = tool({ description: "lists", inputSchema: jsonSchema(LS.function.parameters), execute: async (input) => (given.push(input), "nothing") });
  const steps = await generateText({ model: provider("openclaw"), prompt: "look", tools: { ls }, stopWhen: ({ steps }) => steps.length > 1 });
  assert.deepEqual([steps.text, given], ["done", [{ path: "x" }]]);
  assert.deepEqual(model.last.messages.filter(({ role }) => role === "tool").map(({ content }) => content), ["nothing"]);
  await assert.rejects(generateText({ model: provider("gpt-5"), prompt: "hi", maxRetries: 0 }), { statusCode: 400 });
  const stranger = createOpenAICompatible({ name: "gatehouse", baseURL: base(), apiKey: "wrong" });
  await assert.rejects(generateText({ model: stranger("openclaw"), prompt: "hi", maxRetries: 0 }), { statusCode: 401 });

  model.next(words("a dot"));
  const image = { type: "image", image: PIXEL };
  const looked = await generateText({ model: provider("openclaw"), messages: user([{ type: "text", text: "what is it?" }, image]) });
  assert.equal(looked.text, "a dot");
  assert.equal(model.last.messages.at(-1).content.find((part) => part.type === "image_url").image_url.url, PIXEL);

  const busy = { status: 503, error: "busy" };
  model.next(busy, busy, words("at last"));
  assert.equal((await generateText({ model: provider("openclaw"), prompt: "hi", maxRetries: 2 })).text, "at last");

  model.next({ deltas: [{ content: "half" }, { error: "x" }], finish: "error" });
  const errors = [];
  const broken = streamText({ model: provider("openclaw"), prompt: "hi", maxRetries: 0, onError: ({ error }) => errors.push(error) });
  let half = "";
  for await (const text of broken.textStream) half += text;
  assert.deepEqual([half, errors.length], ["half", 1]);

  const endlessly = endless();
  model.next(endlessly);
  const leaving = new AbortController();
  const going = streamText({ model: provider("openclaw"), prompt: "hi", abortSignal: leaving.signal, onError: () => {} });
  for await (const text of going.textStream) {
    if (text) leaving.abort();
  }
  await until("the model's connection to end", () => endlessly.isLeft || undefined, 5_000);
});

test("an endpoint that is off says how it is switched on", async () => {
  await rpc("config.patch", { raw: JSON.stringify({ gateway: { http: { endpoints: { chatCompletions: { enabled: false }, responses: { enabled: false } } } } }), baseHash: (await rpc("config.get")).hash });
  await until("the endpoint to be off", async () => {
    const answer = await fetch(`${base()}/models`, { headers: { authorization: `Bearer ${gateway.token}` } });
    const { error } = await answer.json();
    return answer.status === 404 && error.code === "ENDPOINT_DISABLED" && error.message.includes("gateway.http.endpoints") ? true : undefined;
  });
});
