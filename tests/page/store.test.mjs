// What the page knows, without a browser: events and answers in the orders in which they may come.

import assert from "node:assert/strict";
import { test } from "node:test";

import { heardRow, read } from "../../gateway-edge/web/store/conversations.js";
import { state } from "../../gateway-edge/web/store/state.js";

const KEY = "agent:main:main";

/** @param {number} seq */
const row = (seq) => ({ role: "user", content: `row ${seq}`, timestamp: seq, __openclaw: { id: `row-${seq}`, seq, kind: "message" } });

/** @param {number[]} seqs */
const page = (...seqs) => ({ sessionKey: KEY, sessionId: "s", messages: seqs.map(row), deltaCursor: `${seqs.at(-1) ?? 0}`, hasMore: false });

/** @param {number[]} seqs */
const delta = (...seqs) => ({
  kind: "delta",
  messages: seqs.map((seq) => ({ sessionKey: KEY, message: row(seq), messageSeq: seq })),
  deltaCursor: `${seqs.at(-1) ?? 0}`,
  sessionInfo: { key: KEY, agentId: "main", sessionId: "s" },
});

const shown = () => state.conversations.get(KEY)?.rows.map(({ __openclaw }) => __openclaw.seq);

test("a row whose event overtakes the first page is kept, once and in its place", async () => {
  state.conversations.clear();
  const answers = [page(1, 2), delta(3, 4)];
  const call = async () => {
    // Said while the answer, which does not have it, is on its way.
    heardRow({ sessionKey: KEY, message: row(3) });
    return answers.shift();
  };

  await read(call, KEY);
  assert.deepEqual(shown(), [1, 2, 3]);

  await read(call, KEY);
  assert.deepEqual(shown(), [1, 2, 3, 4]);
});

test("of another transcript under the same key nothing of the one before is left", async () => {
  state.conversations.clear();
  const another = { ...page(1), sessionId: "t" };
  const answers = [page(1, 2, 3), { kind: "reset" }, another];
  const call = async () => answers.shift();

  await read(call, KEY);
  await read(call, KEY);

  assert.deepEqual(shown(), [1]);
});

test("more than a page holds is read anew, without a hole and without what is older", async () => {
  state.conversations.clear();
  const answers = [page(1, 2), { kind: "reset" }, { ...page(8, 9), hasMore: true, nextOffset: 2 }, delta(), delta(10)];
  /** @type {(string | undefined)[]} */
  const cursors = [];
  const call = async (/** @type {string} */ _method, /** @type {{ cursor?: string }} */ { cursor }) => {
    cursors.push(cursor);
    return answers.shift();
  };

  await read(call, KEY);
  await read(call, KEY);
  assert.deepEqual(shown(), [8, 9]);
  assert.equal(state.conversations.get(KEY)?.more, 2);

  await read(call, KEY);
  assert.deepEqual(shown(), [8, 9], "nothing is new, and nothing is lost");
  await read(call, KEY);
  assert.deepEqual(shown(), [8, 9, 10]);
  assert.deepEqual(cursors, [undefined, "2", undefined, "9", "0"]);
});
