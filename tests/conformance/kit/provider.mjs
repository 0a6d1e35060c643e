// A model provider that speaks OpenAI's chat completions and says what it is told to: `[[fake tokens=5 delay=20 status=400]]` in the
// last message of the user. Both gateways are given the same one, so that no difference comes from the model.

import { createServer } from "node:http";

export const MODEL = "fake-1";
const DIRECTIVE = /\[\[fake([^\]]*)\]\]/g;
const TOKENS_WITHOUT_DIRECTIVE = 8;

export class Provider {
  /** Every request that was made, with what the tests look at. */
  requests = [];

  static async start() {
    const provider = new Provider();
    provider.server = createServer((request, response) => provider.#answer(request, response));
    await new Promise((listening) => provider.server.listen(0, "127.0.0.1", listening));
    provider.url = `http://127.0.0.1:${provider.server.address().port}/v1`;
    return provider;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }

  async #answer(request, response) {
    const json = (status, value) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(value));
    };
    if (request.method === "GET") return json(200, { object: "list", data: [{ id: MODEL, object: "model", owned_by: "fake" }] });
    let text = "";
    for await (const chunk of request) text += chunk;
    const body = JSON.parse(text);
    const asked = lastWords(body.messages ?? []);
    const directive = parse(asked);
    const seen = { at: Date.now(), asked, body, images: text.includes('"image_url"'), sent: [] };
    this.requests.push(seen);
    if (directive.status) return json(directive.status, { error: { message: `the provider says ${directive.status}`, type: "invalid_request_error" } });
    if (!body.stream) return json(200, whole(directive));
    await this.#stream(response, directive, seen);
  }

  async #stream(response, { tokens, delay }, seen) {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    response.socket.setNoDelay(true);
    const write = (choices, more) => response.write(`data: ${JSON.stringify({ ...chunk, choices, ...more })}\n\n`);
    write([{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }]);
    for (let i = 0; i < tokens && !response.destroyed; i += 1) {
      if (delay && i > 0) await new Promise((wake) => setTimeout(wake, delay));
      seen.sent.push(Date.now());
      write([{ index: 0, delta: { content: word(i) }, finish_reason: null }]);
    }
    write([{ index: 0, delta: {}, finish_reason: "stop" }]);
    write([], { usage: usage(tokens) });
    response.end("data: [DONE]\n\n");
  }
}

const chunk = { id: "chatcmpl-fake", object: "chat.completion.chunk", created: 0, model: MODEL };
const usage = (tokens) => ({ prompt_tokens: 10, completion_tokens: tokens, total_tokens: tokens + 10 });
const word = (i) => (i === 0 ? "w0" : ` w${i}`);

/** What the provider says when it is asked for so many tokens. */
export const said = (tokens) => Array.from({ length: tokens }, (_, i) => word(i)).join("");

function whole({ tokens }) {
  const message = { role: "assistant", content: said(tokens) };
  return { ...chunk, object: "chat.completion", choices: [{ index: 0, message, finish_reason: "stop" }], usage: usage(tokens) };
}

/** All that the user said since the model spoke last: gateways add messages of their own, before and behind what was typed. */
function lastWords(messages) {
  const since = messages.slice(messages.findLastIndex((message) => message.role === "assistant") + 1);
  const text = ({ content }) => (typeof content === "string" ? content : (content ?? []).map((part) => part.text ?? "").join(""));
  return since.filter((message) => message.role === "user").map(text).join("\n");
}

function parse(text) {
  // A message that was never answered may stand before the last one, in the same message of the user: the last directive counts.
  const words = ([...text.matchAll(DIRECTIVE)].at(-1)?.[1] ?? "").trim().split(/\s+/).map((pair) => pair.split("="));
  const given = Object.fromEntries(words.map(([name, value]) => [name, Number(value)]));
  return { tokens: given.tokens ?? TOKENS_WITHOUT_DIRECTIVE, delay: given.delay ?? 0, status: given.status };
}
