// Where Gatehouse answers otherwise than OpenClaw. A check named here may fail. One that passes all the same is reported by
// `make conformance`, so that no excuse outlives its reason.

import { readFileSync } from "node:fs";

const CRON = "Gatehouse has no scheduler: `cron.status` says that it is off, lists are empty, and what would add to them is refused as unknown";

/** Meant, and why. */
const decided = {
  CLI: {
    'openclaw cron add --name lab1 --every 1h --session isolated --message "cron [[fake tokens=3]]"': CRON,
    'openclaw system event --mode now --text "an event of the kit"': "there is no heartbeat that an event could wake: `wake` is not offered",
    "openclaw audit": "who did what is in the transcripts and the log; there is no ledger beside them",
  },
  "Control UI": {
    "/worktrees has no red line": "sessions have no worktrees: the method is not offered; a tab beside the list of sessions leads to the page, the side bar does not",
  },
};

/** Not done yet: `{suite: [check]}`, written by `run.mjs --pending` from what fails. */
const pending = JSON.parse(readFileSync(new URL("pending.json", import.meta.url), "utf8"));

export const knownDifference = (suite, name) =>
  decided[suite]?.[name] ?? (pending[suite]?.includes(name) ? "not done yet" : undefined);

/** Excuses whose check passes, or that name no check. */
export function stale(checks) {
  const failing = new Set(checks.filter((check) => !check.ok).map((check) => `${check.suite}: ${check.name}`));
  const excused = [
    ...Object.entries(decided).map(([suite, names]) => [suite, Object.keys(names)]),
    ...Object.entries(pending),
  ].flatMap(([suite, names]) => names.map((name) => `${suite}: ${name}`));
  return excused.filter((check) => !failing.has(check));
}

export const isDecided = (suite, name) => decided[suite]?.[name] !== undefined;
