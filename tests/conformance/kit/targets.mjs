// What the kit can be pointed at: a Gatehouse of this checkout, an OpenClaw gateway from npm, or any address with its token.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Gateway, until } from "../gateway.mjs";
import { merged } from "./merge.mjs";
import { MODEL } from "./provider.mjs";
import { controlUi, environment, node, openclaw, version } from "./openclaw.mjs";

const START_DEADLINE_MS = 90_000;
const START_ATTEMPTS = 3;

/** The models and agents that both gateways are given: OpenClaw's keys, which Gatehouse reads as they are. */
const models = (provider) => ({
  models: {
    mode: "replace",
    providers: {
      fake: {
        baseUrl: provider.url,
        apiKey: "a-key-of-the-fake-provider",
        api: "openai-completions",
        models: [
          {
            id: MODEL,
            name: "Fake One",
            reasoning: false,
            input: ["text", "image"],
            cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
            contextWindow: 128_000,
            maxTokens: 32_000,
          },
        ],
      },
    },
  },
});

/** `sessions` is how many a gateway must be able to keep; Gatehouse has no such bound. `gateway` is what differs in that part of the configuration. */
export async function start(name, provider, { sessions = 5_000, gateway = {} } = {}) {
  if (name === "gatehouse") return Gatehouse.start(provider, gateway);
  if (name === "openclaw") return OpenClaw.start(provider, sessions, gateway);
  throw new Error(`no such target: ${name}; there are gatehouse and openclaw`);
}

class Gatehouse {
  name = "gatehouse";

  static async start(provider, differs) {
    const agents = { defaults: { model: { primary: `fake/${MODEL}` } } };
    const gateway = merged({ controlUi: { root: controlUi } }, differs);
    const target = new Gatehouse();
    target.gateway = await Gateway.start({ ...models(provider), agents, gateway });
    return target;
  }

  get url() {
    return this.gateway.url;
  }

  get token() {
    return this.gateway.token;
  }

  get log() {
    return this.gateway.log;
  }

  get pid() {
    return this.gateway.child.pid;
  }

  begin() {
    return this.gateway.begin();
  }

  end() {
    return this.gateway.end();
  }

  /** Ends the process and starts it anew on the same home and port: what people call a restart. */
  async restart() {
    await this.end();
    await this.begin();
  }

  stop() {
    return this.gateway.stop();
  }
}

class OpenClaw {
  name = "openclaw";
  version = version;
  token = "token-of-the-conformance-kit";
  log = "";

  static async start(provider, sessions, differs) {
    const target = new OpenClaw();
    target.home = await mkdtemp(join(tmpdir(), "openclaw-"));
    target.port = await freePort();
    target.url = `ws://127.0.0.1:${target.port}`;
    const workspace = join(target.home, "workspace");
    await mkdir(join(target.home, ".openclaw"), { recursive: true });
    await mkdir(workspace);
    const gateway = {
      mode: "local",
      port: target.port,
      bind: "loopback",
      auth: { mode: "token", token: target.token },
      // The page is opened through the recorder, on a port of its own.
      controlUi: { allowedOrigins: ["*"] },
      http: { endpoints: { chatCompletions: { enabled: true }, responses: { enabled: true } } },
    };
    const config = {
      gateway: merged(gateway, differs),
      ...models(provider),
      session: { maintenance: { maxEntries: sessions } },
      agents: { defaults: { model: { primary: `fake/${MODEL}` }, skipBootstrap: true, workspace } },
    };
    await writeFile(join(target.home, ".openclaw", "openclaw.json"), JSON.stringify(config));
    await target.begin();
    return target;
  }

  get pid() {
    return this.child.pid;
  }

  async #spawn() {
    const env = environment(this.home);
    this.child = spawn(node, [openclaw, "gateway", "run"], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.child.stdout.on("data", (data) => (this.log += data));
    this.child.stderr.on("data", (data) => (this.log += data));
    await until("OpenClaw is ready", () => this.#ready(), START_DEADLINE_MS);
  }

  /** It gives itself 5 s for a step of its start, which a busy machine may not have: so once more, and once more. */
  async begin() {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#spawn();
      } catch (error) {
        await this.end();
        if (attempt === START_ATTEMPTS) throw new Error(`${error.message}\n${this.log.slice(-2000)}`);
      }
    }
  }

  async #ready() {
    if (this.child.exitCode !== null) throw new Error(`openclaw gateway run ended with ${this.child.exitCode}`);
    return fetch(`http://127.0.0.1:${this.port}/readyz`).then((answer) => (answer.ok ? true : undefined), () => undefined);
  }

  async restart() {
    await this.end();
    await this.begin();
  }

  async end() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((done) => this.child.once("exit", done));
    this.child.kill("SIGTERM");
    await ended;
  }

  async stop() {
    await this.end();
    await rm(this.home, { recursive: true, force: true });
  }
}

/** A gateway that runs already. It cannot be restarted from here. */
export class Address {
  name = "address";
  log = "";

  constructor(url, token) {
    this.url = url;
    this.token = token;
  }

  async stop() {}
}

export async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}
