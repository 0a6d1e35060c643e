// Every view, at both sizes and in both colour schemes: nothing that a screen reader stumbles over, and nothing wider than the screen.
// `PAGE_PICTURES=folder` keeps a picture of each.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { closeAll, DESKTOP, isHere, PHONE, Screen } from "./browser.mjs";
import { Setup } from "./gateway.mjs";

const chromium = { skip: isHere ? false : "Chromium is not here" };

let setup;
let axe;
before(async () => {
  if (!isHere) return;
  axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  setup = await Setup.start();
});
after(async () => {
  await closeAll();
  await setup?.stop();
});

const RICH = `Here is **all of it**, with \`code\` and a [link](https://example.org).

## What to take along

1. Passport and *tickets*
2. A jacket
   - rain is likely on **Sunday**

- [x] Booked the train
- [ ] Asked about the plants

| Day | Weather | High |
|:----|:-------:|-----:|
| Friday | sunny | 21 °C |
| Sunday | rain | 14 °C |

\`\`\`rust
fn main() {
    println!("a line of code that is somewhat longer than a phone is wide, which then scrolls");
}
\`\`\`

> A journey is best measured in friends, rather than miles.`;

const VIEWS = [
  "",
  "chats",
  "now",
  "gateway/status",
  "gateway/channels",
  "gateway/devices",
  "gateway/nodes",
  "gateway/schedules",
  "gateway/usage",
  "gateway/logs",
  "gateway/settings",
  "gateway/settings/text",
];

for (const [size, look] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
  for (const colorScheme of ["light", "dark"]) {
    test(`every view is for everybody, ${size}, ${colorScheme}`, chromium, async () => {
      const screen = await Screen.open(setup.origin, { ...look, colorScheme });
      const look_at = async (name) => {
        const { violations, tooWide } = await screen.page.evaluate(`(async () => {
          ${axe};
          const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
          return {
            violations: violations.map(({ id, nodes }) => id + ": " + nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")),
            tooWide: document.documentElement.scrollWidth > innerWidth,
          };
        })()`);
        if (process.env.PAGE_PICTURES)
          await screen.page.screenshot({
            path: join(process.env.PAGE_PICTURES, `${size}-${colorScheme}-${name.replaceAll("/", "-") || "chat"}.png`),
          });
        assert.deepEqual(violations, [], name);
        assert.ok(!tooWide, `${name} is wider than the screen`);
      };
      await screen.page.goto(screen.origin);
      await screen.page.getByLabel("Token or pairing code").waitFor();
      await look_at("sign-in");
      await screen.signIn(setup.token);
      await screen.say(setup.text("rich", { text: RICH, thinking: "All of it, so that everything can be looked at." }));
      await screen.shows(/measured in friends/);
      await setup.call("cron.add", {
        name: `Garden ${size} ${colorScheme}`,
        schedule: { kind: "cron", expr: "0 6 * * *", tz: "Europe/Berlin" },
        sessionTarget: "isolated",
        wakeMode: "now",
        payload: { kind: "agentTurn", message: "Is it dry?" },
        delivery: { mode: "none" },
      });
      for (const view of VIEWS) {
        await screen.page.goto(`${screen.origin}/${view}`);
        await screen.page.locator(".shell").waitFor();
        await screen.page.locator('[aria-busy="true"]').first().waitFor({ state: "hidden" });
        await screen.page.waitForLoadState("networkidle");
        await look_at(view);
      }
      await screen.close();
    });
  }
}
