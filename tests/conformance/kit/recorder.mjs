// Stands between clients and a gateway, passes everything on and keeps every frame. Where the gateway serves no page of its own, the
// page comes from here, as a web server in front of a gateway would serve it.

import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer, request as ask } from "node:http";
import { extname, join, normalize } from "node:path";
import WebSocket, { WebSocketServer } from "ws";

const MAX_FRAME_BYTES = 64 << 20;
const TYPES = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

export class Recorder {
  /** `{connection, from: "client" | "gateway", at, frame}` in the order in which they passed. */
  frames = [];
  /** When each connection ended. */
  ended = new Map();
  #open = new Set();
  #raw = new Set();
  #connections = 0;

  /** `page` is a folder with a page to serve where the gateway has none. */
  static async start(url, { page } = {}) {
    const recorder = new Recorder();
    recorder.gateway = new URL(url);
    recorder.page = page && !(await servesPage(recorder.gateway)) ? page : undefined;
    recorder.server = createServer((request, response) => recorder.#pass(request, response));
    recorder.server.on("connection", (socket) => {
      recorder.#raw.add(socket);
      socket.once("close", () => recorder.#raw.delete(socket));
    });
    recorder.sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES });
    recorder.server.on("upgrade", (request, socket, head) => recorder.#upgrade(request, socket, head));
    await new Promise((listening) => recorder.server.listen(0, "127.0.0.1", listening));
    recorder.port = recorder.server.address().port;
    recorder.url = `ws://127.0.0.1:${recorder.port}`;
    recorder.origin = `http://127.0.0.1:${recorder.port}`;
    return recorder;
  }

  /** Whether the page came with the gateway. */
  get pageIsTheGateways() {
    return this.page === undefined;
  }

  /** The frames of one side since `mark`, which is a length of `frames`. */
  since(mark, from) {
    return this.frames.slice(mark).filter((seen) => seen.from === from).map((seen) => seen.frame);
  }

  /** Cuts every socket without a word, as a network does. */
  cut() {
    for (const [client, gateway] of this.#open) {
      client.terminate();
      gateway.terminate();
    }
  }

  async stop() {
    const closed = new Promise((done) => this.server.close(done));
    this.cut();
    for (const socket of this.#raw) socket.destroy();
    await closed;
  }

  #upgrade(request, socket, head) {
    const { host, origin, authorization, "user-agent": agent } = request.headers;
    const headers = Object.fromEntries(Object.entries({ host, origin, authorization, "user-agent": agent }).filter(([, value]) => value));
    const gateway = new WebSocket(new URL(request.url, this.gateway), { headers, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false });
    const early = [];
    gateway.on("message", (data, binary) => early.push([data, binary]));
    gateway.once("unexpected-response", (_, answer) => {
      socket.end(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\nconnection: close\r\n\r\n`);
    });
    gateway.once("error", () => socket.destroy());
    gateway.once("open", () => {
      this.sockets.handleUpgrade(request, socket, head, (client) => {
        gateway.removeAllListeners("message");
        this.#join(client, gateway, early);
      });
    });
  }

  #join(client, gateway, early) {
    const connection = (this.#connections += 1);
    const pair = [client, gateway];
    this.#open.add(pair);
    const pass = (from, to) => (data, binary) => {
      this.#keep(connection, from, data);
      if (to.readyState === WebSocket.OPEN) to.send(data, { binary });
    };
    for (const [data, binary] of early) pass("gateway", client)(data, binary);
    gateway.on("message", pass("gateway", client));
    client.on("message", pass("client", gateway));
    const close = (to) => (code, reason) => {
      this.#open.delete(pair);
      if (!this.ended.has(connection)) this.ended.set(connection, Date.now());
      if (code === 1005) to.close();
      else if (code >= 3000 || (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1006)) to.close(code, reason);
      else to.terminate();
    };
    gateway.on("close", close(client));
    client.on("close", close(gateway));
    for (const socket of pair) socket.on("error", () => {});
  }

  #keep(connection, from, data) {
    let frame;
    try {
      frame = JSON.parse(data.toString());
    } catch {
      frame = data.toString();
    }
    this.frames.push({ connection, from, at: Date.now(), frame });
  }

  async #pass(request, response) {
    if (this.page && request.method === "GET" && (await this.#servePage(request, response))) return;
    const { hostname, port } = this.gateway;
    const onward = ask({ hostname, port, path: request.url, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.writeHead(502).end());
    request.pipe(onward);
  }

  async #servePage(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    if (/^\/(api|v1|hooks|healthz?|readyz?|__openclaw__)\b/.test(pathname)) return false;
    const path = join(this.page, normalize(decodeURIComponent(pathname)));
    const isFile = await stat(path).then((found) => found.isFile(), () => false);
    if (!isFile && extname(pathname)) return false;
    response.writeHead(200, { "content-type": TYPES[isFile ? extname(path) : ".html"] ?? "application/octet-stream" });
    if (isFile) createReadStream(path).pipe(response);
    // The page names its parts relative to itself, and is asked for at nested addresses.
    else response.end((await readFile(join(this.page, "index.html"), "utf8")).replace("<head>", '<head><base href="/">'));
    return true;
  }
}

/** Whether what a browser is given at `/` is a Control UI and not a placeholder. */
async function servesPage(url) {
  const answer = await fetch(`http://${url.host}/`).catch(() => undefined);
  return answer?.ok ? (await answer.text()).includes("openclaw-app") : false;
}
