// `make conformance`: the real clients against a gateway of this checkout and against OpenClaw's, and a table of both.
//
//   node run.mjs                                    both gateways, all clients
//   node run.mjs --only cli,tui --targets gatehouse a part of it
//   node run.mjs --url ws://host:port --token ...   a gateway that runs already
//   node run.mjs --write                            write the table into docs/compatibility.md
//   node run.mjs --targets gatehouse --pending      write what fails into pending.json, as not done yet

import { mkdir, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";

import { cli } from "./cli.mjs";
import { isDecided, stale } from "./differences.mjs";
import { disconnect, library } from "./library.mjs";
import { nodeHost } from "./nodehost.mjs";
import { controlUi, isInstalled, User } from "./openclaw.mjs";
import * as browser from "./page.mjs";
import { Provider } from "./provider.mjs";
import { Recorder } from "./recorder.mjs";
import { replay } from "./replay.mjs";
import { line, Report } from "./report.mjs";
import { frames } from "./frames.mjs";
import { handshake } from "./handshake.mjs";
import { Address, start } from "./targets.mjs";
import { document, summary } from "./table.mjs";
import { tui } from "./tui.mjs";

/** In this order: what restarts the gateway comes late, and the frames are looked at when all have passed. */
const SUITES = {
  handshake,
  library: (report, with_) => library(report, { ...with_, url: with_.recorder.url }),
  replay,
  node: nodeHost,
  tui,
  cli: (report, { user }) => cli(report, user),
  page: browser.page,
  frames,
};

const { values: asked } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(SUITES).join(",") },
    targets: { type: "string", default: "gatehouse,openclaw" },
    url: { type: "string" },
    token: { type: "string" },
    write: { type: "boolean", default: false },
    pending: { type: "boolean", default: false },
  },
});

async function all(target, provider) {
  const recorder = await Recorder.start(target.url, { page: controlUi });
  const user = await User.of(recorder.url, target.token);
  const report = new Report(target.name, (check) => console.log(line(check)));
  try {
    for (const [name, suite] of Object.entries(SUITES)) {
      if (!asked.only.split(",").includes(name)) continue;
      if (name === "page" && !browser.isHere) {
        console.log("left out, Chromium is not here: page");
        continue;
      }
      console.log(`== ${target.name}: ${name}`);
      // A client that cannot even start must not hide what the others do.
      await suite(report, { target, recorder, user, provider, token: target.token }).catch((error) =>
        report.check(name, "runs to its end", () => Promise.reject(error)),
      );
    }
  } finally {
    await disconnect();
    await recorder.stop();
    await user.remove();
  }
  return report;
}

async function writePending(checks) {
  const failing = checks.filter((check) => !check.ok && !isDecided(check.suite, check.name));
  const bySuite = Object.groupBy(failing, (check) => check.suite);
  const names = Object.fromEntries(Object.entries(bySuite).map(([suite, checks]) => [suite, checks.map((check) => check.name).sort()]));
  await writeFile(new URL("pending.json", import.meta.url), `${JSON.stringify(names, null, 2)}\n`);
}

async function main() {
  if (!isInstalled) throw new Error("OpenClaw's clients are not installed: make conformance does it, or deploy/prerequisites.sh test");
  const provider = await Provider.start();
  const reports = [];
  try {
    for (const name of asked.url ? ["address"] : asked.targets.split(",")) {
      const target = asked.url ? new Address(asked.url, asked.token) : await start(name, provider);
      try {
        reports.push(await all(target, provider));
      } finally {
        await target.stop();
      }
    }
  } finally {
    await provider.stop();
  }
  console.log(summary(reports));
  const results = new URL("../results/", import.meta.url);
  await mkdir(results, { recursive: true });
  await writeFile(new URL("clients.json", results), JSON.stringify(reports.map(({ target, checks, frames }) => ({ target, checks, frames })), null, 1));
  if (asked.write) await document(reports);
  const ours = reports.find((report) => report.target !== "openclaw");
  if (asked.pending && ours) await writePending(ours.checks);
  const whole = asked.only.split(",").length === Object.keys(SUITES).length;
  const excuses = whole && ours?.target === "gatehouse" ? stale(ours.checks) : [];
  for (const excuse of excuses) console.log(`differences.mjs excuses what passes, or what is not tried: ${excuse}`);
  return ours?.failures.length || excuses.length ? 1 : 0;
}

process.exit(await main());
