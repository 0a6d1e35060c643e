// A browser of its own for each test, with what a test asks of a page. Anything that the page's policy refused, and any error of its
// scripts, fails the test in which it happened.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";

import { chromium } from "playwright-core";

export const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
export const isHere = executablePath !== undefined;

/** A machine under load paints late. */
const PATIENCE_MS = 20_000;

export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
export const DESKTOP = { viewport: { width: 1280, height: 800 } };

/** @type {import("playwright-core").Browser | undefined} */
let browser;

export async function closeAll() {
  await browser?.close();
  browser = undefined;
}

/** What a person has in front of them. */
export class Screen {
  /** What went wrong in the page itself. */
  wrong = [];
  /** Addresses that the page asked for. */
  asked = [];

  /** @param {string} origin @param {object} [look] */
  static async open(origin, look = DESKTOP) {
    browser ??= await chromium.launch({ executablePath, args: ["--no-sandbox"] });
    const screen = new Screen();
    screen.origin = origin;
    screen.context = await browser.newContext({ reducedMotion: "reduce", ...look });
    await screen.tab();
    return screen;
  }

  /** Another tab of the same browser, which is the one that is looked at from now on. */
  async tab() {
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(PATIENCE_MS);
    this.page.on("pageerror", (error) => this.wrong.push(`${error}`));
    this.page.on("console", (message) => {
      if (/Content Security Policy|TrustedScript|Trusted Type/i.test(message.text())) this.wrong.push(message.text());
    });
    this.page.on("request", (request) => this.asked.push(request.url()));
    return this.page;
  }

  /** @param {string} token */
  async signIn(token, path = "/") {
    await this.page.goto(`${this.origin}${path}`);
    await this.page.getByLabel("Token or pairing code").fill(token);
    await this.page.getByRole("button", { name: "Sign in" }).click();
    await this.page.locator(".shell").waitFor();
  }

  get field() {
    return this.page.getByLabel("Message", { exact: true });
  }

  /** @param {string} text */
  async say(text) {
    await this.field.fill(text);
    await this.page.getByRole("button", { name: "Send" }).click();
  }

  /** Waits until the conversation says something. @param {string | RegExp} text */
  async shows(text) {
    await this.page.getByRole("log").getByText(text).last().waitFor();
  }

  /** @param {string} label */
  press(label) {
    return this.page.getByRole("button", { name: label, exact: true }).first().click();
  }

  /** Ends it, and fails if anything was refused or broke, or if the page asked anybody but its gateway. */
  async close() {
    await this.context.close();
    assert.deepEqual(this.wrong, [], "nothing in the page broke, and its policy refused nothing");
    const foreign = this.asked.filter((url) => !url.startsWith(this.origin) && !/^(data|blob):/.test(url));
    assert.deepEqual(foreign, [], "the page asks its own gateway and nobody else");
  }
}
