// OpenClaw's Control UI in a headless Chromium, used as a person uses it.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { until } from "../gateway.mjs";

const PATIENCE_MS = 60_000;
const WHAT_PEOPLE_TAKE_FOR_BROKEN =
  /[^\n]*(unknown method|missing scope|Panel failed to load|invalid [\w.]+ params|Something went wrong|Cannot read prop|returned an invalid|is not a function)[^\n]*/i;
const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const SETTLED_MS = 1_500;
const ENTER_ATTEMPTS = 4;

export const isHere = chromium !== undefined;

/** The pages of the side bar and of the settings. */
const PAGES = [
  ..."agents sessions dashboards activity automations tasks usage skills plugins logs debug systems worktrees portals workboard".split(" "),
  ...["agents", "channels", "connection", "profile", "appearance", "security", "secrets", "advanced", "approvals", "memory", "infrastructure"].map((name) => `settings/${name}`),
  ...["labs", "about", "ai-agents", "model-providers", "plugins", "devices", "updates", "communications", "notifications", "mcp", "automation"].map((name) => `settings/${name}`),
  ...["search", "talk", "skills", "cloud-workers"].map((name) => `settings/${name}`),
];

class Browser {
  static async open(origin, token) {
    const require = createRequire(new URL("../clients/package.json", import.meta.url));
    const browser = Object.assign(new Browser(), { origin, token });
    browser.chromium = await require("playwright-core").chromium.launch({ executablePath: chromium, args: ["--no-sandbox"] });
    browser.page = await browser.chromium.newPage({ viewport: { width: 1400, height: 900 } });
    browser.page.setDefaultTimeout(PATIENCE_MS);
    return browser;
  }

  /** Opens an address with the token behind it. What needs no token after the first time is looked at by its own check. */
  visit(path) {
    return this.page.goto(`${this.origin}${path}#token=${this.token}`);
  }

  get composer() {
    return this.page.getByLabel("Chat composer").first();
  }

  /** All text that is on the page, in shadow roots as well. */
  text() {
    return this.page.evaluate(() => {
      const parts = [];
      const walk = (root) => {
        for (const element of root.querySelectorAll("*")) {
          if (element.shadowRoot) walk(element.shadowRoot);
          if (element.shadowRoot && element.checkVisibility?.()) parts.push(element.shadowRoot.textContent);
        }
      };
      walk(document);
      return [document.body.innerText, ...parts].join("\n");
    });
  }

  async shows(wanted) {
    let last = "";
    const find = async () => {
      last = await this.text().catch(() => "");
      return wanted.test(last) || undefined;
    };
    await until(`the page shows ${wanted}`, find, PATIENCE_MS).catch((error) => {
      throw new Error(`${error.message}; it says: ${(WHAT_PEOPLE_TAKE_FOR_BROKEN.exec(last)?.[0] ?? last).trim().slice(0, 300)}`);
    });
  }

  /** Says something. The menu of commands takes the first Enter of a command while it is still open. */
  async say(text) {
    await this.composer.fill(text);
    for (let attempt = 1; attempt <= ENTER_ATTEMPTS; attempt += 1) {
      await this.composer.press("Enter");
      const left = async () => ((await this.composer.inputValue()).trim() === "" ? true : undefined);
      if (await until("the composer is empty", left, SETTLED_MS).catch(() => false)) return;
    }
    throw new Error(`the composer keeps what was entered: ${await this.composer.inputValue()}`);
  }

  /** Puts a mark into the page that a reload takes away. */
  mark() {
    return this.page.evaluate(() => (globalThis.markOfTheKit = true));
  }

  async assertNotReloaded() {
    assert.ok(await this.page.evaluate(() => globalThis.markOfTheKit === true), "the page loaded itself anew");
  }

  /** Another page of the application, without loading it anew. */
  async walk(path) {
    await this.page.evaluate((to) => {
      history.pushState({}, "", to);
      dispatchEvent(new PopStateEvent("popstate", { state: {} }));
    }, path);
    await this.page.waitForTimeout(SETTLED_MS);
  }

  async picture(name) {
    if (process.env.KIT_PICTURES) await this.page.screenshot({ path: join(process.env.KIT_PICTURES, `${name}.png`) });
  }

  close() {
    return this.chromium.close();
  }
}

/** `short` is what `make test` has time for: load, chat, reload. */
export async function page(report, { target, recorder, provider, short = false }) {
  const browser = await Browser.open(recorder.origin, target.token);
  const check = (name, body) =>
    report.check("Control UI", name, () =>
      Promise.resolve(body()).catch(async (error) => {
        await browser.picture(name.replace(/\W+/g, "-"));
        throw error;
      }),
    );
  try {
    await check("comes from the gateway itself", () => assert.ok(recorder.pageIsTheGateways, "it had to be served by the proxy of the test"));
    const loaded = await check("opens with a token in its address", async () => {
      await browser.visit("/chat");
      await browser.composer.waitFor();
    });
    if (!loaded) return;
    await chat(check, browser);
    await check("a reload asks for no login", async () => {
      await browser.page.reload();
      await browser.composer.waitFor();
      await browser.page.goto(`${recorder.origin}/chat`);
      await browser.composer.waitFor();
      await browser.shows(/w0 w1 w2/);
    });
    if (short) return;
    await sessions(check, browser, recorder, provider);
    await interruptions(check, browser, recorder, target);
    await settings(check, browser, recorder);
    await pages(check, browser);
  } finally {
    await browser.close();
  }
}

async function chat(check, browser) {
  await check("an answer comes as it is made", async () => {
    // Eight seconds: a machine that is busy looks at the page seldom.
    await browser.say("hello [[fake tokens=160 delay=50]]");
    await browser.shows(/w0 w1 w2 w3 w4/);
    assert.doesNotMatch(await browser.text(), /w158 w159/, "it came all at once");
    await browser.shows(/w157 w158 w159/);
  });
  await check("Stop ends an answer", async () => {
    await browser.say("long [[fake tokens=900 delay=50]]");
    await browser.shows(/w61 w62 w63/);
    await browser.page.getByRole("button", { name: /^stop/i }).first().click();
    await until("the composer takes messages again", async () => ((await browser.page.getByRole("button", { name: /^stop/i }).count()) === 0 ? true : undefined), PATIENCE_MS);
    assert.doesNotMatch(await browser.text(), /w890/);
  });
  await check("a refusal of the provider is told", async () => {
    await browser.say("boom [[fake status=400]]");
    await browser.shows(/failed|error|refused|status 400/i);
  });
}

async function sessions(check, browser, recorder, provider) {
  let address;
  await check("a new conversation starts with its first message", async () => {
    await browser.visit("/new?agent=main");
    const field = browser.page.locator("textarea").first();
    await field.fill("first words [[fake tokens=9]]");
    // The page takes nothing while it still asks where a session may work.
    const hasAddress = async () => (/\/chat\/main\/./.test(browser.page.url()) ? true : undefined);
    for (let attempt = 1; attempt <= ENTER_ATTEMPTS; attempt += 1) {
      await field.press("Enter", { timeout: SETTLED_MS }).catch(() => {});
      if (await until("the conversation has an address", hasAddress, PATIENCE_MS / ENTER_ATTEMPTS).catch(() => false)) break;
    }
    assert.ok(await hasAddress(), `the page stays at ${browser.page.url()}`);
    await browser.shows(/w6 w7 w8/);
    assert.doesNotMatch(await browser.text(), WHAT_PEOPLE_TAKE_FOR_BROKEN);
    address = browser.page.url();
  });
  await check("a conversation's address opens it", async () => {
    assert.ok(address, "there is no address");
    await browser.visit(new URL(address).pathname);
    await browser.shows(/first words[\s\S]*w6 w7 w8/);
    assert.doesNotMatch(await browser.text(), WHAT_PEOPLE_TAKE_FOR_BROKEN);
  });
  await check("a photo reaches the model and stays in the conversation", async () => {
    const before = provider.requests.length;
    const buffer = await browser.page.screenshot({ clip: { x: 0, y: 0, width: 64, height: 64 } });
    await browser.page.locator("input.agent-chat__file-input").first().setInputFiles({ name: "photo.png", mimeType: "image/png", buffer });
    await browser.page.waitForTimeout(SETTLED_MS);
    await browser.say("look at this [[fake tokens=11]]");
    await browser.shows(/w9 w10/);
    assert.ok(provider.requests.slice(before).some((request) => request.images), "the provider was shown no image");
    await browser.visit(new URL(browser.page.url()).pathname);
    await browser.page.reload();
    await browser.shows(/look at this/);
    const pictures = browser.page.locator("img[src*='media'], img[src^='blob:'], img[src^='data:image']");
    await until("the photo in the conversation", async () => ((await pictures.count()) > 0 ? true : undefined), PATIENCE_MS);
  });
  await check("a slash command is answered by the gateway", async () => {
    const before = provider.requests.length;
    await browser.say("/status");
    await browser.page.waitForTimeout(SETTLED_MS);
    await browser.shows(/fake-1/);
    assert.equal(provider.requests.length, before, "the model was asked");
  });
}

async function interruptions(check, browser, recorder, target) {
  await check("a cut in mid-stream needs no reload", async () => {
    await browser.page.goto(`${recorder.origin}/chat`);
    await browser.composer.waitFor();
    await browser.mark();
    await browser.say("go on [[fake tokens=150 delay=60]]");
    await browser.shows(/w64 w65 w66/);
    recorder.cut();
    await browser.shows(/w147 w148 w149/);
    await browser.assertNotReloaded();
  });
  if (!target.restart) return;
  await check("a restart of the gateway needs no reload", async () => {
    await browser.mark();
    await target.restart();
    await browser.composer.waitFor();
    await until("it takes a message", async () => {
      const mark = recorder.frames.length;
      await browser.say("back [[fake tokens=13]]");
      await browser.page.waitForTimeout(5_000);
      return recorder.since(mark, "gateway").some((frame) => frame.event === "chat" && frame.payload?.state === "final") || undefined;
    }, 90_000);
    await browser.assertNotReloaded();
  });
}

async function settings(check, browser, recorder) {
  await check("a form of the settings saves, and a reload shows what was saved", async () => {
    const field = await openForm(browser);
    const mark = recorder.frames.length;
    const before = await field.inputValue();
    const wanted = String(Number(before || 0) + 1);
    await field.fill(wanted);
    await field.press("Tab");
    const save = browser.page.getByRole("button", { name: /^(save|apply)/i }).first();
    if (await save.isVisible().catch(() => false)) await save.click();
    const written = await until("a write of the configuration", () => writes(recorder, mark), 15_000);
    assert.ok(written.ok, JSON.stringify(written.error));
    const again = await openForm(browser);
    await until(`the form says ${wanted}`, async () => ((await again.inputValue()) === wanted ? true : undefined), 15_000);
  });
}

/** A number of the agents' settings, with everything unfolded that is folded. */
async function openForm(browser) {
  await browser.visit("/settings/ai-agents");
  await browser.page.reload();
  const field = browser.page.locator("input[type=number]:not([disabled])").first();
  const unfolded = async () => {
    if (await field.isVisible()) return true;
    await browser.page.locator("details:not([open]) > summary").first().click({ timeout: SETTLED_MS }).catch(() => {});
    return undefined;
  };
  await until("a field that can be changed", unfolded, 30_000);
  return field;
}

function writes(recorder, mark) {
  const asked = recorder.since(mark, "client").find((frame) => /^config\.(set|apply|patch)$/.test(frame.method));
  return asked && recorder.since(mark, "gateway").find((frame) => frame.type === "res" && frame.id === asked.id);
}

/** Where the side bar of this page leads. */
const ways = (browser) =>
  browser.page.evaluate(() => {
    const found = [];
    const walk = (root) => {
      for (const element of root.querySelectorAll("*")) {
        if (element.tagName === "A" && element.checkVisibility()) found.push(element.getAttribute("href") ?? "");
        if (element.shadowRoot) walk(element.shadowRoot);
      }
    };
    walk(document);
    return found.filter((href) => href.startsWith("/")).map((href) => href.slice(1).split(/[?#]/)[0]);
  });

async function pages(check, browser) {
  await browser.visit("/chat");
  await browser.composer.waitFor();
  await check("every way of the side bar is one of those that are tried", async () => {
    const seen = await ways(browser);
    await browser.walk("/settings/profile");
    seen.push(...(await ways(browser)));
    const untried = [...new Set(seen)].filter((way) => !PAGES.includes(way) && !/^(chat|new|custodian|activity)(\/|$)/.test(way));
    assert.ok(seen.includes("automations") && seen.includes("settings/devices"), `the side bar was not found: ${seen}`);
    assert.deepEqual(untried, []);
  });
  for (const path of PAGES) {
    await check(`/${path} has no red line`, async () => {
      await browser.walk(`/${path}`);
      const text = await browser.text();
      // A log may tell of what others were refused.
      const broken = path === "logs" ? null : WHAT_PEOPLE_TAKE_FOR_BROKEN.exec(text);
      if (broken) throw new Error(broken[0].trim());
      assert.match(new URL(browser.page.url()).pathname, new RegExp(`/${path.split("/")[0]}`), "it went elsewhere");
    });
  }
}

