// OpenClaw's terminal client in a tmux of its own: what a person types and sees.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";

import { until } from "../gateway.mjs";
import { environment, node, openclaw } from "./openclaw.mjs";

const run = promisify(execFile);
const PATIENCE_MS = 30_000;
const TYPED_MS = 3_000;
const NOT_PASTED_MS = 300;
const TYPE_ATTEMPTS = 3;

class Terminal {
  name = `gatehouse-kit-${randomUUID()}`;

  static async open(command, env) {
    const terminal = new Terminal();
    const given = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    await terminal.#tmux("new-session", "-d", "-s", "kit", "-x", "160", "-y", "50", "env", "-i", "TERM=xterm-256color", ...given, ...command);
    await terminal.#tmux("set-option", "-g", "remain-on-exit", "on");
    return terminal;
  }

  #tmux(...args) {
    return run("tmux", ["-L", this.name, "-f", "/dev/null", ...args]);
  }

  async screen() {
    const { stdout } = await this.#tmux("capture-pane", "-p", "-t", "kit", "-S", "-300");
    return stdout;
  }

  /** Types a line, looks that it stands there as a person would, and enters it: a menu that is just closing takes the first letters. */
  async type(text) {
    const count = async () => (await this.screen()).split(text).length;
    for (let attempt = 1; ; attempt += 1) {
      const before = await count();
      await this.#tmux("send-keys", "-t", "kit", "-l", text);
      const stands = async () => ((await count()) > before ? true : undefined);
      const typed = await until("what was typed stands there", stands, TYPED_MS).catch(() => false);
      if (typed || attempt === TYPE_ATTEMPTS) break;
      await this.key("C-u");
    }
    // What is typed and entered at once is taken for something pasted.
    await new Promise((wake) => setTimeout(wake, NOT_PASTED_MS));
    await this.key("Enter");
  }

  key(name) {
    return this.#tmux("send-keys", "-t", "kit", name);
  }

  async shows(wanted, from = 0, deadlineMs = PATIENCE_MS) {
    let last = "";
    const find = async () => {
      last = (await this.screen()).slice(from);
      return wanted.test(last) || undefined;
    };
    await until(`the screen shows ${wanted}`, find, deadlineMs).catch((error) => {
      throw new Error(`${error.message}; it ends with: ${last.replace(/[─\s]+/g, ' ').trim().slice(-300)}`);
    });
  }

  close() {
    return this.#tmux("kill-server").catch(() => {});
  }
}

/** `short` is what `make test` has time for: start, a chat, an abort. */
export async function tui(report, { user, recorder, provider, short = false }) {
  const check = (name, body) => report.check("TUI", name, body);
  const session = `kit-${randomUUID().slice(0, 8)}`;
  const terminal = await Terminal.open([node, openclaw, "tui", "--session", session], environment(user.home));
  try {
    const started = await check("starts and connects", () => terminal.shows(/connected \| idle|gateway connected/));
    if (!started) return;
    await check("a message is answered", async () => {
      await terminal.type("hello [[fake tokens=12 delay=40]]");
      await terminal.shows(/w0\s+w1\s+w2\s+w3\s+w4\s+w5\s+w6\s+w7\s+w8\s+w9\s+w10\s+w11/);
    });
    await check("text comes as it is made, and Esc ends it", async () => {
      await terminal.type("long [[fake tokens=900 delay=60]]");
      await terminal.shows(/w12\s+w13\s+w14/);
      assert.doesNotMatch(await terminal.screen(), /w120/);
      await terminal.key("Escape");
      await terminal.shows(/abort/i);
    });
    if (short) return;
    await check("a refusal of the provider is told", async () => {
      await terminal.type("boom [[fake status=400]]");
      await terminal.shows(/error|failed|refused/i);
    });
    await check("/status is answered by the gateway", async () => {
      const before = provider.requests.length;
      await terminal.type("/status");
      await terminal.shows(/Model:|Session:/i);
      assert.equal(provider.requests.length, before, "the model was asked");
    });
    for (const [command, answer] of [
      ["/sessions", /main|Sessions/i],
      ["/models", /fake-1/],
      ["/agents", /main/],
      ["/gateway-status", /Default model: (?!unknown)/i],
    ]) {
      await check(`${command} shows what there is`, async () => {
        await terminal.type(command);
        await terminal.shows(answer);
        await terminal.key("Escape");
      });
    }
    for (const [command, answer] of [
      ["/think low", /think/i],
      ["/verbose on", /verbose/i],
      ["/usage full", /usage/i],
    ]) {
      await check(`${command} is set or refused, never dropped`, async () => {
        const mark = recorder.frames.length;
        await terminal.type(command);
        const frame = await until("an answer", () => recorder.since(mark, "gateway").find((frame) => frame.type === "res"), PATIENCE_MS);
        if (!frame.ok) return;
        const [name, value] = command.slice(1).split(" ");
        const field = { think: "thinkingLevel", verbose: "verboseLevel", usage: "responseUsage" }[name];
        await until(`the session has ${field} ${value}`, () => rows(recorder.since(mark, "gateway")).find((row) => row[field] === value), PATIENCE_MS);
        await terminal.shows(answer);
      });
    }
    await check("no method that it needs is missing", async () => {
      const screen = await terminal.screen();
      assert.doesNotMatch(screen, /unknown method|missing scope|refresh failed/);
    });
    await check("a cut in mid-stream is mended", async () => {
      await terminal.type("go on [[fake tokens=140 delay=60]]");
      await terminal.shows(/w20\s+w21/);
      recorder.cut();
      await terminal.shows(/w136\s+w137\s+w138\s+w139/);
    });
    await check("/new starts a session that answers", async () => {
      await terminal.type("/new");
      await terminal.shows(/new session|session:? .*tui-/i);
      await terminal.type("fresh [[fake tokens=7]]");
      await terminal.shows(/fresh[\s\S]*w0\s+w1\s+w2\s+w3\s+w4\s+w5\s+w6/);
      assert.doesNotMatch(await terminal.screen(), /refresh failed/);
    });
  } finally {
    await terminal.close();
  }
}

const rows = (frames) =>
  frames.flatMap((frame) => [frame.payload?.session, frame.payload?.entry, ...(frame.payload?.sessions ?? []), frame.payload].filter(Boolean));
