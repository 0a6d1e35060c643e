// A model behind the gateway that says exactly what a test wrote down, and remembers what it was sent and what its socket sent.

import { createServer } from "node:http";

const DONE = "data: [DONE]\n\n";

export class Model {
  /** The bodies of all requests, oldest first. */
  requests = [];
  /** How many requests whose client went away before their end. */
  cut = 0;
  #scripts = [];

  static async start() {
    const model = new Model();
    model.server = createServer((request, response) => model.#answer(request, response));
    await new Promise((listening) => model.server.listen(0, "127.0.0.1", listening));
    model.url = `http://127.0.0.1:${model.server.address().port}/v1`;
    return model;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }

  /** What the next request is answered with: deltas of a stream, or a refusal. */
  next(...scripts) {
    this.#scripts.push(...scripts);
  }

  /** What nobody asked for is not said any more. */
  forget() {
    this.#scripts.length = 0;
  }

  get last() {
    return this.requests.at(-1);
  }

  async #answer(request, response) {
    let text = "";
    for await (const chunk of request) text += chunk;
    if (request.method === "GET") return response.end(JSON.stringify({ object: "list", data: [{ id: "m", object: "model" }] }));
    this.requests.push(JSON.parse(text));
    const { deltas = [], finish = "stop", usage = USAGE, pause = 0, heard, status, error, headers, together = false, left } = this.#scripts.shift() ?? words("ok");
    if (status) {
      response.writeHead(status, { "content-type": "application/json", ...headers });
      return response.end(JSON.stringify({ error: { message: error ?? `the model says ${status}` } }));
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.socket.setNoDelay(true);
    let [isOver, written] = [false, 0];
    response.on("close", () => {
      if (isOver) return;
      this.cut += 1;
      if (written < deltas.length) left?.(); // who has read all words goes when it likes
    });
    const event = (choices, more) => `data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", choices, ...more })}\n\n`;
    const parts = deltas.map((delta) => event([{ index: 0, delta, finish_reason: null }]));
    parts.push(event([{ index: 0, delta: {}, finish_reason: finish }]), event([], { usage }), DONE);
    if (together) response.write(parts.join(""));
    else {
      for (const [n, part] of parts.entries()) {
        // The next word is written when the client says that it has the one before.
        if (heard && n < deltas.length) await heard(n);
        if (response.destroyed) return;
        response.write(part);
        written = n + 1;
        if (pause) await new Promise((wake) => setTimeout(wake, pause));
      }
    }
    isOver = true;
    response.end();
  }
}

export const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

/** A stream of these words. */
export const words = (...texts) => ({ deltas: texts.map((content) => ({ content })) });

/** The configuration of a gateway that asks this model and has every endpoint. */
export const config = (model, more = {}) => ({
  gateway: { http: { endpoints: { chatCompletions: { enabled: true }, responses: { enabled: true } } } },
  models: {
    providers: {
      fake: {
        baseUrl: model.url,
        apiKey: "none",
        api: "openai-completions",
        models: [{ id: "m", input: ["text", "image"] }, { id: "other", input: ["text"] }],
      },
    },
  },
  agents: { defaults: { model: "fake/m" }, entries: { main: { default: true }, work: { name: "Work" } } },
  ...more,
});
