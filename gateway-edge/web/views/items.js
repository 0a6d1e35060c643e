// What a conversation shows, one below the other: rows of the transcript, runs where they belong, and messages on their way.

import { runsOf } from "../store/runs.js";
import { state } from "../store/state.js";

/** @typedef {import("../protocol/types.js").Row} Row */
/** @typedef {import("../protocol/types.js").Block} Block */
/** @typedef {import("../store/runs.js").Run} Run */
/** @typedef {import("../protocol/outbox.js").Item} Sent */
/** @typedef {{ key: string, version: string, kind: "row", row: Row, results: Map<string, Row>, first: boolean, agentId: string, sessionKey: string }} RowItem */
/** @typedef {{ key: string, version: string, kind: "run", run: Run, first: boolean }} RunItem */
/** @typedef {{ key: string, version: string, kind: "sent", sent: Sent }} SentItem */
/** @typedef {{ key: string, version: string, kind: "line", text: string }} LineItem */
/** @typedef {RowItem | RunItem | SentItem | LineItem} Item */

const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

/** @param {string} key @returns {Item[]} */
export function itemsOf(key) {
  const rows = state.conversations.get(key)?.rows ?? [];
  const agentId = state.sessions.get(key)?.agentId ?? key.split(":")[1] ?? "";
  const results = new Map();
  const called = new Set();
  for (const row of rows) {
    if (row.toolCallId) results.set(row.toolCallId, row);
    for (const call of callsOf(row)) called.add(call.id);
  }
  /** @type {Item[]} */
  const items = [];
  const runs = runsOf(key);
  /** Where a run belongs: behind the last row of its own. @type {Map<string, number>} */
  const last = new Map();
  for (const [at, row] of rows.entries()) if (row.__openclaw.runId) last.set(row.__openclaw.runId, at);
  let day = { from: 0, to: 0 };
  /** @type {Row | undefined} */
  let before;
  for (const [at, row] of rows.entries()) {
    const isOther = row.timestamp < day.from || row.timestamp >= day.to;
    if (isOther && day.to !== 0) items.push({ key: `day:${row.__openclaw.id}`, version: "", kind: "line", text: DAY.format(row.timestamp) });
    if (isOther) day = dayOf(row.timestamp);
    if (row.__openclaw.kind === "reset") items.push({ key: `reset:${row.__openclaw.id}`, version: "", kind: "line", text: "A new beginning" });
    // What a tool answered is shown where it was called.
    const isShown = !(row.toolCallId && called.has(row.toolCallId)) && !(row.__openclaw.kind === "reset" && !row.content?.length);
    if (isShown) {
      const first = row.role !== before?.role || row.__openclaw.runId !== before?.__openclaw.runId;
      items.push(ofRow(row, results, first, agentId, key));
      if (!row.toolCallId) before = row;
    }
    for (const run of runs) if (last.get(run.id) === at) items.push(ofRun(run, before?.role !== "assistant"));
  }
  for (const run of runs) if (!last.has(run.id)) items.push(ofRun(run, true));
  const known = new Set(rows.map((row) => row.idempotencyKey));
  for (const sent of state.outbox) {
    if (sent.sessionKey === key && !known.has(`${sent.id}:user`)) items.push({ key: `sent:${sent.id}`, version: sent.state, kind: "sent", sent });
  }
  return items;
}

/** What was made of rows: with ten thousand of them, making each anew whenever one is added would be felt. @type {WeakMap<Row, RowItem>} */
const made = new WeakMap();

/** @param {Row} row @param {Map<string, Row>} results @param {boolean} first @param {string} agentId @param {string} sessionKey @returns {RowItem} */
function ofRow(row, results, first, agentId, sessionKey) {
  const version = versionOf(row, results, first);
  const known = made.get(row);
  if (known?.version === version && known.agentId === agentId && known.sessionKey === sessionKey) return known;
  /** @type {RowItem} */
  const item = { key: row.__openclaw.id, version, kind: "row", row, results, first, agentId, sessionKey };
  made.set(row, item);
  return item;
}

/** @param {Run} run @param {boolean} first @returns {RunItem} */
function ofRun(run, first) {
  return { key: `run:${run.id}`, version: "", kind: "run", run, first };
}

/** @type {Block[]} */
const NO_CALLS = [];

/** The calls of tools in a row. @param {Row} row */
function callsOf({ content }) {
  const isCall = (/** @type {Block} */ block) => block.type === "toolCall";
  return Array.isArray(content) && content.some(isCall) ? content.filter(isCall) : NO_CALLS;
}

/** @param {Row} row @param {Map<string, Row>} results @param {boolean} first */
function versionOf(row, results, first) {
  let version = first ? "f" : "";
  for (const call of callsOf(row)) version += results.has(call.id ?? "") ? "1" : "0";
  return version;
}

/** The day around a moment, where the browser is. @param {number} at */
function dayOf(at) {
  const [from, to] = [new Date(at), new Date(at)];
  return { from: from.setHours(0, 0, 0, 0), to: to.setHours(24, 0, 0, 0) };
}
