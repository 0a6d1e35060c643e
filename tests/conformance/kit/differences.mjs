// Where Gatehouse answers otherwise than OpenClaw. A check named here may fail. One that passes all the same is reported by
// `make conformance`, so that no excuse outlives its reason.

import { readFileSync } from "node:fs";


/** Meant, and why. */
const decided = {
  CLI: {
    "openclaw audit": "who did what is in the transcripts and the log; there is no ledger beside them",
  },
};

/** Where OpenClaw's own gateway fails a check that Gatehouse passes, and why that is no fault of the check. */
const theirs = {
  "gateway-client": {
    "a reader hears the same of a method that does not exist": "OpenClaw looks at the caller's scopes before it looks for the method: a reader is told of a missing scope",
  },
  TUI: {
    "/think low is set or refused, never dropped": "the check reads rows of sessions out of every answer, and one of OpenClaw's has something else under the same name",
  },
  CLI: {
    'openclaw agent --agent main --message "/status"': "OpenClaw answers commands on the ways of its chats and pages; what its command line says goes to the model as it is",
  },
  frames: {
    "every frame fits the published schema": "what OpenClaw sends is newer than the schema that it publishes: fields are there that the schema does not have",
  },
};

export const reasonOfTheirs = (suite, name) => theirs[suite]?.[name] ?? "not looked into yet";

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
