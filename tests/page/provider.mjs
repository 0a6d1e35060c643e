// A model that says what a test wants: `[[say name]]` in a message names one of its texts. Spoken over OpenAI's chat completions.

import { createServer } from "node:http";

export class Model {
  /** Texts by name: `{ text, thinking, delay, piece }`. */
  texts = new Map([["hello", { text: "Hello, I am here." }]]);
  /** How many requests were made. */
  asked = 0;

  static async start() {
    const model = new Model();
    model.server = createServer((request, response) => model.#answer(request, response));
    await new Promise((listening) => model.server.listen(0, "127.0.0.1", listening));
    model.url = `http://127.0.0.1:${model.server.address().port}/v1`;
    return model;
  }

  /** The part of a configuration that makes it the gateway's model. */
  get config() {
    const models = [
      { id: "one", name: "Model One", reasoning: true, input: ["text", "image"], contextWindow: 128_000, maxTokens: 32_000 },
      { id: "two", name: "Model Two", reasoning: false, input: ["text"], contextWindow: 128_000, maxTokens: 32_000 },
    ];
    return {
      models: { mode: "replace", providers: { test: { baseUrl: this.url, apiKey: "k", api: "openai-completions", models } } },
      agents: { defaults: { model: { primary: "test/one" } } },
    };
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }

  async #answer(request, response) {
    if (request.method === "GET") {
      response.writeHead(200, { "content-type": "application/json" });
      return response.end(JSON.stringify({ object: "list", data: [{ id: "one", object: "model" }] }));
    }
    let body = "";
    for await (const chunk of request) body += chunk;
    this.asked += 1;
    const { messages, stream } = JSON.parse(body);
    const wanted = [...JSON.stringify(messages).matchAll(/\[\[say ([a-z-]+)\]\]/g)].at(-1)?.[1] ?? "hello";
    const { text, thinking, delay = 0, piece = 12, status } = this.texts.get(wanted) ?? { text: `no text ${wanted}` };
    if (status) {
      response.writeHead(status, { "content-type": "application/json" });
      return response.end(JSON.stringify({ error: { message: "the model is not well", type: "invalid_request_error" } }));
    }
    const base = { id: "c", created: 0, model: "one" };
    if (!stream) {
      response.writeHead(200, { "content-type": "application/json" });
      return response.end(
        JSON.stringify({
          ...base,
          object: "chat.completion",
          choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
        }),
      );
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.socket.setNoDelay(true);
    const write = (delta, finish_reason = null) =>
      response.write(`data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
    const say = async (words, field) => {
      for (let at = 0; at < words.length && !response.destroyed; at += piece) {
        write({ [field]: words.slice(at, at + piece) });
        if (delay) await new Promise((wake) => setTimeout(wake, delay));
      }
    };
    write({ role: "assistant", content: "" });
    if (thinking) await say(thinking, "reasoning_content");
    await say(text, "content");
    write({}, "stop");
    response.write(
      `data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", choices: [], usage: { prompt_tokens: 120, completion_tokens: 60, total_tokens: 180 } })}\n\n`,
    );
    response.end("data: [DONE]\n\n");
  }
}
