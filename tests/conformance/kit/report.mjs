// What was tried and what came of it. A check passes, or says in one line what was expected and what came.

import { knownDifference } from "./differences.mjs";

const DETAIL_CHARACTERS = 400;

export class Report {
  checks = [];

  /** `log` is told each result as it comes. */
  constructor(target, log = () => {}) {
    this.target = target;
    this.log = log;
  }

  /** Tries `body`. Its answer may be a number: milliseconds to put in the table instead of the time that it took. */
  async check(suite, name, body) {
    const began = performance.now();
    const check = { suite, name, ok: true };
    try {
      const measured = await body();
      check.ms = typeof measured === "number" ? measured : performance.now() - began;
    } catch (error) {
      check.ok = false;
      check.detail = String(error?.message ?? error).replace(/\s+/g, " ").slice(0, DETAIL_CHARACTERS);
      check.explained = this.target === "gatehouse" ? knownDifference(suite, name) : undefined;
    }
    this.checks.push(check);
    this.log(check);
    return check.ok;
  }

  /** What fails and is not explained. */
  get failures() {
    return this.checks.filter((check) => !check.ok && !check.explained);
  }
}

export const line = ({ suite, name, ok, ms, detail, explained }) =>
  `${ok ? "ok      " : explained ? "differs " : "FAILED  "} ${suite}: ${name}${ms ? ` (${Math.round(ms)} ms)` : ""}${ok ? "" : `\n           ${detail}`}`;
