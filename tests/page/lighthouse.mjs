// What Lighthouse says of the page, before and behind the sign-in: npm run lighthouse. It fails below 95 in any category. It is no test,
// because its figures are those of the machine, too.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { executablePath } from "./browser.mjs";
import { Setup } from "./gateway.mjs";
import lighthouse from "./lighthouse/node_modules/lighthouse/core/index.js";

const LEAST = 95;
const PORT = 9_333;
const CATEGORIES = ["performance", "accessibility", "best-practices", "seo"];
/** The page of somebody's own gateway is for no search engine, and says so. */
const MEANT = ["is-crawlable"];
const FLAGS = { port: PORT, logLevel: "error", output: "json", onlyCategories: CATEGORIES, skipAudits: MEANT };

const setup = await Setup.start();
const profile = await mkdtemp(join(tmpdir(), "lighthouse-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  args: ["--no-sandbox", `--remote-debugging-port=${PORT}`],
});
let isGood = true;
try {
  const judge = async (name, url, flags = {}) => {
    const { lhr } = await lighthouse(url, { ...FLAGS, ...flags });
    const scores = Object.values(lhr.categories).map(({ id, score }) => [id, Math.round((score ?? 0) * 100)]);
    console.log(`${name}: ${scores.map(([id, score]) => `${id} ${score}`).join(", ")}`);
    for (const { id, auditRefs } of Object.values(lhr.categories)) {
      const lost = auditRefs.filter((ref) => ref.weight > 0 && (lhr.audits[ref.id].score ?? 1) < 0.9);
      for (const ref of lost) console.log(`  ${id}: ${ref.id}: ${lhr.audits[ref.id].title} ${lhr.audits[ref.id].displayValue ?? ""}`);
    }
    isGood &&= scores.every(([, score]) => score >= LEAST);
  };
  await fetch(setup.origin); // a gateway packs its files when they are asked for first
  await judge("sign-in", setup.origin);
  const page = await browser.newPage();
  await page.goto(`${setup.origin}/#token=${setup.token}`);
  await page.locator(".shell").waitFor();
  await setup.call("chat.send", { sessionKey: "main", message: "hello", idempotencyKey: "first" });
  await setup.call("agent.wait", { runId: "first", timeoutMs: 30_000 });
  await page.close();
  // Whoever is signed in is judged with what the browser keeps.
  for (const place of ["/", "/gateway/schedules"]) await judge(`signed in, ${place}`, `${setup.origin}${place}`, { disableStorageReset: true });
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
  await setup.stop();
}
process.exitCode = isGood ? 0 : 1;
