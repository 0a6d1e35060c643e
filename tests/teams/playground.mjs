// Microsoft's Agents Playground, which is a Teams on this machine, in front of a gateway with the plugin; and a person in a browser there.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { binary, Gateway, until } from "../conformance/gateway.mjs";
import { Model } from "../page/provider.mjs";

const program = fileURLToPath(new URL("playground/node_modules/@microsoft/m365agentsplayground/cli.js", import.meta.url));
const plugin = join(dirname(binary), "gatehouse-msteams");
const pages = fileURLToPath(new URL("../page/package.json", import.meta.url));
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

/** Why these tests cannot run here, if they cannot. */
export const missing = [
  [existsSync(program), "the Playground is not installed: `make playground` installs it, under Microsoft's licence"],
  [existsSync(plugin), "gatehouse-msteams is not built: cargo build -p gatehouse-msteams"],
  [existsSync(join(dirname(pages), "node_modules/playwright-core")), "the packages of tests/page are not installed: deploy/prerequisites.sh test"],
  [executablePath, "Chromium is not here"],
]
  .filter(([here]) => !here)
  .map(([, reason]) => reason)[0];

/** A machine under load paints late. */
const PATIENCE_MS = 30_000;

/** A port that nobody has now. */
async function free() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/** A gateway with the plugin as its process, and the Playground in front of it. */
export class Setup {
  static async start() {
    const setup = new Setup();
    setup.folder = await mkdtemp(join(tmpdir(), "gatehouse-playground-"));
    setup.model = await Model.start();
    const [bot, port] = [await free(), await free()];
    const command = { command: plugin, args: ["--listen", `127.0.0.1:${bot}`, "--state", join(setup.folder, "teams.db")] };
    setup.gateway = await Gateway.start({
      ...setup.model.config,
      plugins: { entries: { msteams: { ...command, channels: ["msteams"] } } },
      channels: { msteams: { playground: true, dmPolicy: "open", allowFrom: ["*"], groupPolicy: "open" } },
    });
    try {
      await until("an account that is connected", async () => {
        const status = await setup.call("channels.status").catch(() => undefined);
        return status?.channelAccounts?.msteams?.[0]?.state === "connected" ? true : undefined;
      });
      await setup.#playground(bot, port);
    } catch (error) {
      await setup.stop();
      throw error;
    }
    return setup;
  }

  async #playground(bot, port) {
    const options = ["--app-endpoint", `http://127.0.0.1:${bot}/api/messages`, "--channel-id", "msteams", "--port", `${port}`, "--disable-telemetry"];
    this.child = spawn(process.execPath, [program, ...options], { cwd: this.folder, env: { ...process.env, BROWSER: "none" }, stdio: "ignore" });
    this.origin = `http://127.0.0.1:${port}`;
    const answer = await until("the Playground", () => fetch(`${this.origin}/_internal/v1/config`).catch(() => undefined), PATIENCE_MS);
    this.people = (await answer.json()).config;
  }

  /** Calls a method as its owner does. */
  async call(method, params = {}) {
    const answer = await fetch(`${this.gateway.url.replace("ws://", "http://")}/rpc/${method}`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.gateway.token}`, "content-type": "application/json" },
      body: JSON.stringify(params),
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(`${method}: ${JSON.stringify(body)}`);
    return body;
  }

  async stop() {
    if (this.child && this.child.exitCode === null) {
      const ended = new Promise((done) => this.child.once("exit", done));
      this.child.kill("SIGKILL");
      await ended;
    }
    await this.gateway?.stop();
    await this.model?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const isDeletion = ({ response }) => response.body?.error?.code === "DeleteActivityAPINotImplemented";

/** What a person of the Playground has in front of them. */
export class Screen {
  /** What the Playground tells its page of: what it shows of the bot, and each request between the two with its answer. */
  told = [];

  static async open(setup) {
    const { chromium } = createRequire(pages)("playwright-core");
    const screen = new Screen();
    screen.browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
    const context = await screen.browser.newContext({ viewport: { width: 1280, height: 1600 }, reducedMotion: "reduce" });
    // Its fonts are on another machine.
    await context.route(
      (url) => url.origin !== setup.origin,
      (route) => route.abort(),
    );
    screen.page = await context.newPage();
    screen.page.setDefaultTimeout(PATIENCE_MS);
    screen.page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => screen.told.push(JSON.parse(payload))));
    await screen.page.goto(setup.origin);
    await screen.chat("Personal Chat");
    await until("the Playground to greet the bot", () => (screen.requests().length >= 2 ? true : undefined), PATIENCE_MS);
    return screen;
  }

  /** The requests so far, of both sides, as the Playground has written them down. */
  requests() {
    return this.told.map(({ log }) => log).filter((log) => log?.response);
  }

  /** The requests that one of the two has not taken. That messages can be deleted is what the Playground does not have: see `deletions`. */
  refused() {
    return this.requests()
      .filter((log) => log.response.statusCode >= 400 && !isDeletion(log))
      .map(({ activityName, request, response }) => ({ activityName, request, response }));
  }

  /** How often the Playground was asked to delete a message. */
  deletions() {
    return this.requests().filter(isDeletion).length;
  }

  /** Which chat or channel is looked at. */
  chat(name) {
    return this.page.getByRole("treeitem", { name }).click();
  }

  /** Writes and sends; what begins with `@` is chosen from the list that opens. */
  async says(words, { button = "Send Message", to } = {}) {
    const field = this.page.getByRole("textbox").first();
    await field.click();
    if (to) {
      await field.pressSequentially(`@${to.slice(0, 2)}`);
      await this.page.getByRole("menuitem", { name: to }).click();
    }
    await field.pressSequentially(to ? ` ${words}` : words);
    await this.page.getByRole("button", { name: button }).click();
  }

  /** Lets the Playground tell the bot of something that happens, by the name that it has there. */
  async happens(name) {
    await this.page.getByRole("button", { name: "Mock an Activity" }).click();
    await this.page.getByRole("menu").getByText(name, { exact: true }).click();
    const dialog = this.page.getByRole("dialog", { name });
    await dialog.getByRole("button", { name: "Send activity" }).click();
    await dialog.waitFor({ state: "detached" });
  }

  /** Waits until somebody sees this. */
  sees(what) {
    return this.page.getByText(what).first().waitFor();
  }

  press(name) {
    return this.page.getByRole("button", { name, exact: true }).first().click();
  }

  close() {
    return this.browser.close();
  }
}
