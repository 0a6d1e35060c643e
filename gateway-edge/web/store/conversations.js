// Transcripts as far as they were read: a window of rows that ends with the newest one, grows upwards by pages, and downwards by events.

import { settle, snapshot } from "./runs.js";
import { changed, state } from "./state.js";

/** @typedef {import("../protocol/types.js").Row} Row */
/** @typedef {import("../protocol/types.js").History} History */
/** @typedef {{ key: string, sessionId: string | undefined, rows: Row[], more: number | null, cursor: string | null, loading: boolean, loadingOlder: boolean, error: unknown }} Conversation */
/** @typedef {(method: string, params: object) => Promise<any>} Call */

/** Rows of a page: some screens full. */
const PAGE = 60;

/** Rows of a page of older ones: what is drawn between two frames, or else scrolling is held up. */
const OLDER_PAGE = 32;

/** Bytes of a page: more would be seconds on a slow line. */
const PAGE_BYTES = 512 * 1024;

/** Conversations that are kept beside the one that is open, so that going back and forth costs nothing. */
const KEPT = 6;

/** @param {string} key @returns {Conversation} */
function open(key) {
  let known = state.conversations.get(key);
  if (known) state.conversations.delete(key);
  known ??= { key, sessionId: undefined, rows: [], more: null, cursor: null, loading: false, loadingOlder: false, error: null };
  state.conversations.set(key, known); // the one that was opened last is the last of the map
  for (const old of [...state.conversations.keys()].slice(0, -KEPT)) state.conversations.delete(old);
  return known;
}

/** Reads the newest page, or only what came since the last look.
 * @param {Call} call @param {string} key */
export async function read(call, key) {
  const conversation = open(key);
  conversation.loading = true;
  conversation.error = null;
  changed("conversation");
  try {
    const since = conversation.cursor ? { cursor: conversation.cursor } : {};
    const answer = await call("chat.history", { sessionKey: key, limit: PAGE, maxBytes: PAGE_BYTES, ...since });
    if (answer.kind === "delta") takeDelta(conversation, answer);
    else {
      // More came than a page holds, or another transcript has begun: what is known and what is new do not join.
      /** @type {History} */
      const page = answer.kind === "reset" ? await call("chat.history", { sessionKey: key, limit: PAGE, maxBytes: PAGE_BYTES }) : answer;
      if (conversation.sessionId && page.sessionId !== conversation.sessionId) conversation.rows = [];
      conversation.cursor = null;
      take(conversation, page);
    }
  } catch (error) {
    conversation.error = error;
  }
  conversation.loading = false;
  changed("conversation");
}

/** @param {Conversation} conversation @param {History} page */
function take(conversation, page) {
  conversation.sessionId = page.sessionId;
  conversation.cursor = page.deltaCursor;
  conversation.more = page.hasMore ? (page.nextOffset ?? null) : null;
  // An event may overtake the answer that does not have its row yet.
  const last = page.messages?.at(-1)?.__openclaw.seq ?? 0;
  conversation.rows = conversation.rows.filter((row) => row.__openclaw.seq > last);
  for (const row of page.messages ?? []) insert(conversation, row);
  tell(page.sessionKey, page);
}

/** @param {Conversation} conversation @param {import("../protocol/types.js").Delta} delta */
function takeDelta(conversation, delta) {
  conversation.cursor = delta.deltaCursor;
  for (const { message } of delta.messages) insert(conversation, message);
  tell(delta.sessionInfo.key, delta);
}

/** What an answer says beside the rows. @param {string} key @param {Pick<History, "sessionInfo" | "inFlightRun">} answer */
function tell(key, { sessionInfo, inFlightRun }) {
  if (sessionInfo) state.sessions.set(key, { ...state.sessions.get(key), ...sessionInfo });
  if (inFlightRun) snapshot(inFlightRun, key, sessionInfo?.agentId ?? "");
}

/** Reads the page before the oldest row that is known.
 * @param {Call} call @param {string} key */
export async function readOlder(call, key) {
  const conversation = state.conversations.get(key);
  if (!conversation || conversation.more === null || conversation.loadingOlder) return;
  conversation.loadingOlder = true; // nothing shows it, so nothing is drawn for it
  try {
    // Rows that came meanwhile move the offset; those that are read twice are known by their ids.
    const offset = Math.max(conversation.more, conversation.rows.length);
    /** @type {History} */
    const page = await call("chat.history", { sessionKey: key, limit: OLDER_PAGE, maxBytes: PAGE_BYTES, offset });
    for (const row of page.messages ?? []) insert(conversation, row);
    conversation.more = page.hasMore ? (page.nextOffset ?? null) : null;
  } catch (error) {
    conversation.error = error;
  }
  conversation.loadingOlder = false;
  changed("conversation");
}

/** A row was added to a transcript: the event `session.message`.
 * @param {{ sessionKey: string, message: Row, session?: import("../protocol/types.js").SessionRow }} event */
export function heardRow({ sessionKey, message, session }) {
  const { runId } = message.__openclaw;
  if (runId && message.role === "assistant") settle(runId);
  const conversation = state.conversations.get(sessionKey);
  if (!conversation) return;
  // Under the same key another transcript has begun.
  if (session && conversation.sessionId && session.sessionId !== conversation.sessionId) {
    Object.assign(conversation, { sessionId: session.sessionId, rows: [], more: null, cursor: null });
  }
  insert(conversation, message);
  changed("conversation");
}

/** Puts a row where its number says, once.
 * @param {Conversation} conversation @param {Row} row */
function insert({ rows }, row) {
  const { id, seq } = row.__openclaw;
  // Behind the last row with a number that is not larger: mostly the newest, or one of a page before the oldest.
  let [at, end] = [0, rows.length];
  while (at < end) {
    const middle = (at + end) >> 1;
    if (rows[middle].__openclaw.seq > seq) end = middle;
    else at = middle + 1;
  }
  if (rows[at - 1]?.__openclaw.id === id) rows[at - 1] = row;
  else rows.splice(at, 0, row);
}

/** Forgets a transcript that was emptied or deleted. @param {string} key */
export function forget(key) {
  const conversation = state.conversations.get(key);
  if (!conversation) return;
  Object.assign(conversation, { rows: [], more: null, cursor: null, sessionId: undefined });
  changed("conversation");
}
