// Schedules: what begins by the clock, what became of it the last times, and what can be done about it.

import { fill, h } from "../../dom.js";
import { to } from "../../router.js";
import { call } from "../../store/gateway.js";
import { may, state } from "../../store/state.js";
import { ago, counted, lasting, soon, whole } from "../../time.js";
import { act, problem } from "../act.js";
import { ask, toast } from "../menu.js";
import { edit } from "./job.js";
import { panel, part, row, section } from "./parts.js";

/** @typedef {import("./job.js").Job} Job */
/** @typedef {{ status: string, slotState: string, slotKind: string, error?: string, summary?: string, runAtMs: number, durationMs?: number, sessionKey?: string, deliveryStatus?: string, deliveryError?: string }} Run */

/** Jobs that are shown: a list of more is one for the command line. */
const JOBS_MAX = 200;
/** Runs of one job that are shown. */
const RUNS_MAX = 20;

/** Why a job cannot be run now, in the gateway's words and in ours. @type {{[reason: string]: string}} */
const NOT_RUN = { "already-running": "It runs already.", "not-due": "It is not due.", disabled: "It is off." };

export function schedules() {
  const read = async () => {
    const [status, list] = await Promise.all([call("cron.status"), call("cron.list", { includeDisabled: true, limit: JOBS_MAX })]);
    return { status, jobs: /** @type {Job[]} */ (list.jobs ?? []), total: list.total ?? 0 };
  };
  /** Whose runs were looked at before all was drawn anew. @type {Set<string>} */
  const open = new Set();
  return part(
    read,
    ({ status, jobs, total }, again) => [
      !status.enabled && h("p", { class: "soft" }, "Schedules are switched off: cron.enabled in the settings."),
      section(
        "Schedules",
        panel(
          [...jobs.map((each) => job(each, again, open)), ...(may("cron.add") ? [another(again)] : [])],
          "None yet. A schedule lets the assistant do something at a time: once, again and again, or by the clock.",
        ),
        total > jobs.length && h("p", { class: "soft" }, `${counted(total - jobs.length, "more schedule")}: “gatehouse cron” lists them all.`),
      ),
    ],
    ["schedules"],
  );
}

/** @param {() => Promise<void>} again */
const another = (again) =>
  row(
    null,
    "Another one",
    ["the assistant does something at a time: once, again and again, or by the clock"],
    h("button", { type: "button", class: "small primary", onClick: () => edit(null, again) }, "New schedule"),
  );

/** How often, in the largest unit that needs no other. @param {number} ms */
function every(ms) {
  for (const [unit, word] of /** @type {[number, string][]} */ ([
    [86_400_000, "day"],
    [3_600_000, "hour"],
    [60_000, "minute"],
    [1_000, "second"],
  ]))
    if (ms % unit === 0) return ms === unit ? `every ${word}` : `every ${ms / unit} ${word}s`;
  return `every ${ms} ms`;
}

/** @param {Job["schedule"]} schedule */
function when(schedule) {
  if (schedule.kind === "at") return `once, ${whole(Date.parse(schedule.at))}`;
  if (schedule.kind === "every") return every(schedule.everyMs);
  return `by the clock: ${schedule.expr}${schedule.tz ? ` (${schedule.tz})` : ""}`;
}

/** @param {Job} job @param {() => Promise<void>} again @param {Set<string>} open */
function job(job, again, open) {
  const {
    id,
    name,
    displayName,
    enabled,
    schedule,
    declarationKey,
    effectiveAgentId,
    lastRunAtMs,
    lastRunStatus,
    lastRunError,
    nextRunAtMs,
    state: how,
  } = job;
  const title = displayName ?? name;
  // The gateway keeps those of heartbeats as the configuration says.
  const isOwn = declarationKey !== undefined;
  const isRunning = how?.runningAtMs !== undefined;
  const light = !enabled ? "none" : isRunning ? "fair" : lastRunStatus === "error" ? "bad" : "good";
  const outcome =
    lastRunStatus === "error"
      ? `failed ${ago(lastRunAtMs ?? 0)}`
      : lastRunAtMs && `${lastRunStatus === "skipped" ? "skipped" : "ran"} ${ago(lastRunAtMs)}`;
  const facts = [
    when(schedule),
    isRunning ? "runs now" : !enabled ? "off" : nextRunAtMs ? soon(nextRunAtMs) : "not by itself",
    outcome,
    state.agents.length > 1 && effectiveAgentId,
    isOwn && "set in the settings",
  ];
  const run = async () => {
    const begun = await call("cron.run", { id, mode: "force" });
    if (begun.ran === false) toast(NOT_RUN[begun.reason] ?? "It was not begun.");
    await again();
  };
  const turn = async () => {
    await call("cron.update", { id, patch: { enabled: !enabled } });
    await again();
  };
  const remove = () =>
    ask({
      title: `Remove “${title}”?`,
      text: "It is not due any more. A run that is under way goes on.",
      label: "Remove",
      danger: true,
      run: async () => {
        await call("cron.remove", { id });
        await again();
      },
    });
  const mayChange = may("cron.update") && !isOwn;
  const button = (/** @type {string} */ label, /** @type {() => void} */ onClick, look = "small") =>
    h("button", { type: "button", class: look, "aria-label": `${label}: ${title}`, onClick }, label);
  return h(
    "div",
    { class: "job" },
    row(
      light,
      title,
      facts,
      may("cron.run") && act("Run now", run, { class: "small", title: `Run ${title} now` }),
      mayChange && act(enabled ? "Turn off" : "Turn on", turn, { class: "small" }),
      mayChange && button("Edit", () => edit(job, again)),
      may("cron.remove") && !isOwn && button("Remove", remove, "small danger"),
    ),
    lastRunError ? h("p", { class: "problem" }, lastRunError) : null,
    may("cron.runs") ? runs(id, title, open) : null,
  );
}

/** The last runs of a job: read when somebody looks. @param {string} id @param {string} title @param {Set<string>} open */
function runs(id, title, open) {
  const list = h("ol", { class: "runs", reversed: true });
  const node = h("details", { open: open.has(id) }, h("summary", { "aria-label": `Last runs of ${title}` }, "Last runs"), list);
  const read = async () => {
    try {
      const { entries = [] } = await call("cron.runs", { id, limit: RUNS_MAX });
      fill(list, ...(entries.length ? entries.map(outcome) : [h("li", {}, h("span", { class: "facts" }, "None yet."))]));
    } catch (error) {
      fill(list, h("li", {}, problem(error, read)));
    }
  };
  node.addEventListener("toggle", () => {
    if (node.open) open.add(id);
    else open.delete(id);
    if (node.open && !list.childElementCount) read();
  });
  if (node.open) read();
  return node;
}

/** @param {Run} run */
function outcome({ status, slotState, slotKind, error, summary, runAtMs, durationMs, sessionKey, deliveryStatus, deliveryError }) {
  const light = status === "ok" ? "good" : status === "error" ? "bad" : "none";
  const told = deliveryStatus === "delivered" ? "told" : deliveryStatus === "not-delivered" && `not told${deliveryError ? `: ${deliveryError}` : ""}`;
  const words = status === "ok" ? "went well" : status === "error" ? "failed" : slotState === "missed" ? "was missed" : "was skipped";
  const facts = [whole(runAtMs), words, slotKind === "manual" && "by hand", durationMs !== undefined && `took ${lasting(durationMs)}`, told];
  return h(
    "li",
    {},
    h("span", { class: `light ${light}`, "aria-hidden": "true" }),
    h(
      "div",
      { class: "facts" },
      facts.filter(Boolean).join(" · "),
      sessionKey && " · ",
      sessionKey && h("a", to("chat", sessionKey), "conversation"),
    ),
    error || summary ? h("p", {}, error ?? summary) : null,
  );
}
