// What runs at this moment, in whatever session: the text so far, the thinking, the tools. Fed by the events `chat` and `agent` alone.

import { changed, state } from "./state.js";

/** @typedef {{ id: string, name: string, input: unknown, output: string | null, failed: boolean }} ToolCall */
/** @typedef {{ id: string, sessionKey: string, agentId: string, text: string, thinking: string, tools: ToolCall[], note: string, startedAt: number, seen: number, late: Piece[] }} Run */
/** @typedef {{ seq: number, text: string, replace: boolean }} Piece */

/** So many of the last pieces of a text are remembered, for a snapshot that was made before they came and arrives after them. */
const LATE_MAX = 64;

/** A run that was said to be over stays so, whatever comes late. So many of them are remembered. */
const ENDED_MAX = 200;
/** @type {Set<string>} */
const ended = new Set();

/** @param {{ runId: string, sessionKey?: string, agentId?: string }} event @returns {Run | null} */
function runOf({ runId, sessionKey = "", agentId = "" }) {
  if (ended.has(runId)) return null;
  let run = state.runs.get(runId);
  if (!run) {
    run = { id: runId, sessionKey, agentId, text: "", thinking: "", tools: [], note: "", startedAt: Date.now(), seen: 0, late: [] };
    state.runs.set(runId, run);
    changed("sessions"); // which session is at work; the text of it is nothing to the list
  }
  return run;
}

/** @param {any} event payload of `chat`; returns whether the run is over */
export function heardChat(event) {
  if (event.state === "final" || event.state === "aborted" || event.state === "error") {
    end(event.runId);
    return true;
  }
  const run = runOf(event);
  if (!run) return false;
  if (event.state === "status") run.note = PHASES[event.phase] ?? "";
  // What a snapshot contained already does not come twice.
  if (event.state === "delta" && event.seq > run.seen) {
    run.note = "";
    const piece = { seq: event.seq, text: event.deltaText ?? "", replace: event.replace ?? false };
    add(run, piece);
    run.late.push(piece);
    if (run.late.length > LATE_MAX) run.late.shift();
  }
  changed("runs");
  return false;
}

/** @param {Run} run @param {Piece} piece */
function add(run, { text, replace }) {
  run.text = replace ? text : run.text + text;
}

/** @type {{[phase: string]: string}} */
const PHASES = { preparing_context: "Reading the conversation", starting_model: "Waiting for the model" };

/** @param {any} event payload of `agent` */
export function heardAgent(event) {
  if (event.stream === "assistant") return;
  const run = runOf(event);
  if (!run) return;
  const { data } = event;
  if (event.stream === "thinking" && event.seq > run.seen) {
    run.note = "";
    run.thinking = data.replace ? (data.delta ?? "") : run.thinking + (data.delta ?? "");
  } else if (event.stream === "tool") {
    heardTool(run, data);
  } else if (event.stream === "lifecycle" && data.phase === "start") {
    run.startedAt = data.startedAt ?? run.startedAt;
  } else if (event.stream === "lifecycle" && data.phase === "retry") {
    run.note = `Trying again (${data.attempt} of ${data.maxAttempts}): ${data.reason ?? "the model did not answer"}`;
  } else if (event.stream === "compaction") {
    run.note = data.phase === "start" ? "Summing up the conversation" : "";
  } else return;
  changed("runs");
}

/** @param {Run} run @param {any} data */
function heardTool(run, data) {
  const known = run.tools.find((tool) => tool.id === data.toolCallId);
  if (data.phase === "start" && !known) {
    run.tools.push({ id: data.toolCallId, name: data.name, input: data.args, output: null, failed: false });
  } else if (data.phase === "result" && known) {
    known.output = wordsOf(data.result?.content);
    known.failed = data.isError ?? false;
  }
}

/** The words in the blocks of a message. @param {unknown} content @returns {string} */
export function wordsOf(content) {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .filter((block) => block.type === "text")
    .map((block) => block.text ?? "")
    .join("\n");
}

/** What was said so far became a row of the transcript. @param {string} runId */
export function settle(runId) {
  const run = state.runs.get(runId);
  if (!run) return;
  run.text = "";
  run.thinking = "";
  changed("runs");
}

/** A run as the gateway has it now, for who came later than its first words.
 * @param {import("../protocol/types.js").InFlightRun} inFlight @param {string} sessionKey @param {string} agentId */
export function snapshot({ runId, text, seq, startedAt }, sessionKey, agentId) {
  const run = runOf({ runId, sessionKey, agentId });
  if (!run || run.seen > seq) return;
  Object.assign(run, { text, seen: seq, startedAt });
  // Events that came while the snapshot was on its way may be newer than it.
  for (const piece of run.late) if (piece.seq > seq) add(run, piece);
  changed("runs");
}

/** @param {string} runId */
export function end(runId) {
  ended.add(runId);
  if (ended.size > ENDED_MAX) ended.delete(/** @type {string} */ (ended.values().next().value));
  if (state.runs.delete(runId)) changed("runs", "sessions");
}

/** Forgets what is believed to run in sessions of which the gateway says that nothing does.
 * @param {import("../protocol/types.js").SessionRow} row */
export function reconcile(row) {
  for (const run of state.runs.values()) {
    const runs = row.activeRunIds ?? (row.hasActiveRun ? [row.lastRunId] : []);
    if (run.sessionKey === row.key && !runs.includes(run.id)) end(run.id);
  }
}

/** The runs of one session, the oldest first. @param {string} key */
export function runsOf(key) {
  return [...state.runs.values()].filter((run) => run.sessionKey === key).sort((a, b) => a.startedAt - b.startedAt);
}
