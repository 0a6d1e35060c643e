// The fakes of the adapters' tests, and those of the OpenClaw project, each as a process of its own.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { binary, until } from "../gateway.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const program = join(dirname(binary), "gatehouse-fake");

/** Why these tests cannot run here, if they cannot. */
export const missing = (name) => {
  if (!existsSync(join(here, "node_modules", name))) return `${name} is not installed: deploy/prerequisites.sh test brings it`;
  return false;
};
export const missingFake = existsSync(program) ? false : "gatehouse-fake is not built: cargo build -p gatehouse-tests";

/** What a package of this folder exports. */
export const load = createRequire(join(here, "package.json"));

/** A fake of ours: `manifest` says what opens it, `do` lets something happen there. */
export class Fake {
  static async start(platform) {
    const fake = new Fake();
    fake.child = spawn(program, [platform], { stdio: ["pipe", "pipe", "inherit"] });
    fake.lines = createInterface({ input: fake.child.stdout })[Symbol.asyncIterator]();
    fake.manifest = await fake.#line();
    return fake;
  }

  async #line() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error("the fake has ended");
    return JSON.parse(value);
  }

  /** One after the other: each line is answered by one. */
  async do(what, given = {}) {
    this.child.stdin.write(`${JSON.stringify({ what, with: given })}\n`);
    const { answer } = await this.#line();
    if (answer === null) throw new Error(`the fake knows no ${what}`);
    return answer;
  }

  stop() {
    this.child.stdin.end();
  }
}

/** A fake of the OpenClaw project's. */
export class Crabline {
  static async start(platform) {
    const crabline = new Crabline();
    crabline.folder = await mkdtemp(join(tmpdir(), "crabline-"));
    const ready = join(crabline.folder, "ready.json");
    crabline.recorder = join(crabline.folder, "recorder.jsonl");
    const script = join(here, "node_modules/@openclaw/crabline/package.json");
    const { bin } = JSON.parse(await readFile(script, "utf8"));
    const entry = join(dirname(script), typeof bin === "string" ? bin : bin.crabline);
    const words = [entry, "--json", "serve", platform, "--ready-file", ready, "--recorder", crabline.recorder];
    crabline.child = spawn(process.execPath, words, { stdio: ["ignore", "ignore", "inherit"] });
    crabline.manifest = await until(`${platform} of crabline`, () =>
      readFile(ready, "utf8").then(JSON.parse, () => undefined));
    return crabline;
  }

  /** Somebody says something. */
  async inject(body) {
    const { adminToken, endpoints } = this.manifest;
    const headers = { "content-type": "application/json", "x-crabline-admin-token": adminToken };
    const answer = await fetch(endpoints.adminInboundUrl, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`crabline took nothing: ${answer.status} ${await answer.text()}`);
  }

  /** What was asked of it, in order. */
  async recorded() {
    const text = await readFile(this.recorder, "utf8").catch(() => "");
    return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }

  async stop() {
    const ended = new Promise((done) => this.child.once("exit", done));
    this.child.kill();
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}
