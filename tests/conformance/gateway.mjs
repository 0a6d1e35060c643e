// A gateway of its own for each test file: real processes, a home in a temporary folder, a port that nobody else has.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const binary =
  process.env.GATEHOUSE_BIN ??
  join(process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url)), "debug/gatehouse");

const START_DEADLINE_MS = 30_000;

/** Waits until `probe` answers something other than undefined, and fails with `what` after the deadline. */
export async function until(what, probe, deadlineMs = 15_000) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

export class Gateway {
  static async start(config = {}) {
    const home = await mkdtemp(join(tmpdir(), "gatehouse-"));
    await writeFile(join(home, "gatehouse.json5"), JSON.stringify(config));
    const gateway = new Gateway(home);
    try {
      await gateway.#spawn("0");
      const asksForAnother = (config.gateway?.auth?.mode ?? "token") !== "token";
      const token = await readFile(join(home, "config", "token"), "utf8").catch((error) => {
        if (asksForAnother && error.code === "ENOENT") return ""; // a password is the operator's own
        throw error;
      });
      gateway.token = token.trim();
    } catch (error) {
      await gateway.stop();
      throw new Error(`the gateway did not start: ${error.message}\n${gateway.log}`);
    }
    return gateway;
  }

  log = "";

  constructor(home) {
    this.home = home;
  }

  async #spawn(port) {
    this.child = spawn(binary, ["up", "--home", this.home, "--port", port], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, GATEHOUSE_METRICS_LISTEN: "off" },
    });
    this.child.stdout.on("data", (data) => (this.log += data));
    this.child.stderr.on("data", (data) => (this.log += data));
    this.url = await until("edge.url", () => this.#urlOfReadyEdge(), START_DEADLINE_MS);
  }

  async #urlOfReadyEdge() {
    if (this.child.exitCode !== null) throw new Error(`gatehouse up ended with ${this.child.exitCode}`);
    try {
      const url = (await readFile(join(this.home, "run", "edge.url"), "utf8")).trim();
      const answer = await fetch(`${url.replace("ws://", "http://")}/readyz`);
      return answer.ok ? url : undefined;
    } catch {
      return undefined;
    }
  }

  /** Starts it anew with the same home on the same port. */
  begin() {
    return this.#spawn(new URL(this.url).port);
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
