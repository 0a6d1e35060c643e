// Where OpenClaw is, as npm installed it, and how its command line is called with a home of its own.

import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = (path) => fileURLToPath(new URL(path, import.meta.url));
const installed = folder("../clients/node_modules/openclaw");

export const node = folder("../node_modules/node/bin/node");
export const openclaw = join(installed, "openclaw.mjs");
export const controlUi = join(installed, "dist/control-ui");
export const isInstalled = existsSync(openclaw) && existsSync(node);
export const version = isInstalled ? JSON.parse(readFileSync(join(installed, "package.json"), "utf8")).version : undefined;

/** The environment of one user: nothing of the caller's own OpenClaw, no colours, nothing asked of the world. */
export function environment(home, more = {}) {
  return {
    PATH: [dirname(node), process.env.PATH].join(delimiter),
    HOME: home,
    LANG: "C.UTF-8",
    NO_COLOR: "1",
    OPENCLAW_NO_RESPAWN: "1",
    OPENCLAW_HIDE_BANNER: "1",
    ...more,
  };
}

/** A home that points OpenClaw's clients at a gateway elsewhere. */
export class User {
  static async of(url, token) {
    const user = new User();
    user.home = await mkdtemp(join(tmpdir(), "openclaw-user-"));
    await mkdir(join(user.home, ".openclaw"));
    const { port } = new URL(url);
    // The port and the token beside `remote` are those by which `gateway status` looks.
    const config = { gateway: { mode: "remote", remote: { url, token }, port: Number(port), auth: { mode: "token", token } } };
    await writeFile(join(user.home, ".openclaw", "openclaw.json"), JSON.stringify(config));
    return user;
  }

  /** Runs one command to its end. */
  run(args, { deadlineMs = 60_000 } = {}) {
    const began = performance.now();
    return new Promise((done) => {
      const options = { env: environment(this.home), timeout: deadlineMs, killSignal: "SIGKILL", maxBuffer: 64 << 20, cwd: this.home };
      execFile(node, [openclaw, ...args], options, (error, stdout, stderr) => {
        const code = error === null ? 0 : (error.code ?? error.signal);
        done({ code: error?.killed ? "timeout" : code, stdout, stderr, ms: Math.round(performance.now() - began) });
      });
    });
  }

  remove() {
    return rm(this.home, { recursive: true, force: true });
  }
}
