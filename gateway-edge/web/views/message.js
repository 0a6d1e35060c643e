// One thing of a conversation on the screen: what a person said, what the assistant said and did, what is on its way.

import { copyFrom } from "../clipboard.js";
import { fill, h, say } from "../dom.js";
import { icon } from "../icons.js";
import { visible } from "../markdown/links.js";
import { render } from "../markdown/render.js";
import { go } from "../router.js";
import { call, outbox } from "../store/gateway.js";
import { wordsOf } from "../store/runs.js";
import { may } from "../store/state.js";
import { whole } from "../time.js";
import { act, attempt } from "./act.js";
import { keepDraft } from "./drafts.js";
import { agentName, agentSign } from "./keys.js";
import { LiveRun } from "./live.js";
import { medium } from "./media.js";
import { thought, toolRow } from "./tools.js";

/** @typedef {import("./items.js").Item} Item */
/** @typedef {import("./items.js").RowItem} RowItem */
/** @typedef {import("../protocol/types.js").Row} Row */
/** @typedef {import("../protocol/types.js").Block} Block */

/** Longer texts are shown in part first: a megabyte on one line would hold the page up for seconds. */
const SHOWN_AT_ONCE = 24_000;
const SHOWN_FIRST = 6_000;

/** What was drawn, and of what. @type {WeakMap<Element, { version: string, live?: LiveRun }>} */
const drawn = new WeakMap();

/** @param {Item} item @returns {HTMLElement} */
export function drawItem(item) {
  return h("article", { class: `item ${item.kind}` });
}

/** @param {HTMLElement} node @param {Item} item */
export function updateItem(node, item) {
  const known = drawn.get(node);
  if (item.kind === "run") {
    const live = known?.live ?? new LiveRun(node, item);
    live.show(item.run);
    if (!known) drawn.set(node, { version: "", live });
    return;
  }
  if (known?.version === item.version) return;
  drawn.set(node, { version: item.version });
  if (item.kind === "line") fill(node, h("span", {}, item.text));
  else if (item.kind === "sent") drawSent(node, item.sent);
  else drawRow(node, item);
}

/** @param {HTMLElement} node @param {RowItem} item */
function drawRow(node, item) {
  const { row } = item;
  node.classList.add(row.role === "user" ? "said" : "answered");
  node.classList.toggle("first", item.first);
  if (row.role === "user") return drawSaid(node, item);
  if (row.toolCallId)
    return fill(node, toolRow({ name: row.toolName ?? "tool", input: null, output: wordsOf(row.content), failed: row.isError ?? false }));
  const blocks = typeof row.content === "string" ? [{ type: "text", text: row.content }] : (row.content ?? []);
  const parts = blocks.flatMap((block) => part(block, item));
  const isSummary = row.__openclaw.kind === "compaction";
  const body = isSummary ? [h("details", { class: "thought" }, h("summary", {}, "What was said before, summed up"), ...parts)] : parts;
  fill(node, item.first && author(item.agentId, row), ...body, ending(row), actions(item));
}

/** @param {Block} block @param {RowItem} item @returns {Node[]} */
function part(block, { results }) {
  if (block.type === "text" && block.text) return [words(block.text, true)];
  if (block.type === "thinking" && block.thinking) return [thought(block.thinking)];
  if (block.type === "toolCall") {
    const result = results.get(block.id ?? "");
    const output = result ? wordsOf(result.content) : null;
    return [
      toolRow({ name: block.name ?? "tool", input: block.arguments, output, failed: result?.isError ?? false }),
      ...(result ? mediaOf(result) : []),
    ];
  }
  const shown = medium(block);
  return shown ? [shown] : [];
}

/** @param {Row} row @returns {Node[]} */
function mediaOf({ content }) {
  return Array.isArray(content) ? content.map(medium).filter((node) => node !== null) : [];
}

/** A text of somebody: as Markdown, or as it was typed. @param {string} text @param {boolean} isMarkdown */
function words(text, isMarkdown) {
  const node = h("div", { class: "text", dir: "auto" });
  const draw = (/** @type {string} */ part) => (isMarkdown ? fill(node, ...render(part)) : fill(node, visible(part)));
  if (text.length <= SHOWN_AT_ONCE) {
    draw(text);
    return node;
  }
  draw(text.slice(0, SHOWN_FIRST));
  const all = h(
    "button",
    { type: "button", class: "small", onClick: () => draw(text) },
    `Show all of it (${Math.round(text.length / 1000)} thousand characters)`,
  );
  node.append(all);
  return node;
}

/** @param {string} agentId @param {Row} [row] */
export function author(agentId, row) {
  const sign = agentSign(agentId);
  const isGateway = row?.model === "gateway-injected" && !row.openclawAbort;
  return h(
    "h2",
    { class: "author" },
    h("span", { class: "sign", "aria-hidden": "true" }, isGateway ? "›" : sign || agentName(agentId).slice(0, 1)),
    isGateway ? "Gateway" : agentName(agentId),
  );
}

/** @param {HTMLElement} node @param {RowItem} item */
function drawSaid(node, item) {
  const { row } = item;
  const blocks = typeof row.content === "string" ? [{ type: "text", text: row.content }] : (row.content ?? []);
  const parts = blocks.flatMap((block) => (block.type === "text" && block.text ? [words(block.text, false)] : (medium(block) ?? [])));
  const by = row.senderLabel ? h("h2", { class: "by" }, h("bdi", {}, visible(row.senderLabel))) : h("h2", { class: "off-screen" }, "You");
  fill(node, by, h("div", { class: "bubble" }, ...parts), actions(item));
}

/** What is said behind an answer that did not end well. @param {Row} row */
function ending(row) {
  if (row.stopReason === "error") return h("p", { class: "problem" }, icon("alert"), row.errorMessage ?? "The model did not answer.");
  if (row.openclawAbort || row.stopReason === "aborted") return h("p", { class: "soft ended" }, "Stopped.");
  if (row.stopReason === "interrupted") return h("p", { class: "soft ended" }, "Cut off by a restart.");
  if (row.stopReason === "length") return h("p", { class: "soft ended" }, "The answer was too long for the model and ends here.");
  return null;
}

/** @param {RowItem} item */
function actions({ row, sessionKey }) {
  const text = wordsOf(row.content);
  const copy = h("button", { type: "button", class: "quiet small" }, icon("copy"), "Copy");
  copy.addEventListener("click", () => copyFrom(copy, text));
  const again =
    row.role === "user" && may("sessions.fork") && text
      ? act("Say it otherwise", () => edit(sessionKey, row), { class: "quiet small", icon: "edit" })
      : null;
  const facts = [whole(row.timestamp), row.model !== "gateway-injected" ? row.model : null].filter(Boolean).join(" · ");
  return h("footer", { class: "actions" }, text && copy, again, h("time", { datetime: new Date(row.timestamp).toISOString() }, facts));
}

/** Goes back to before a message, in a conversation of its own, with the message to be written anew. @param {string} sessionKey @param {Row} row */
async function edit(sessionKey, row) {
  const made = await call("sessions.fork", { sessionKey, entryId: row.__openclaw.id });
  keepDraft(made.sessionKey, made.editorText ?? "");
  go("chat", made.sessionKey);
}

/** @param {HTMLElement} node @param {import("../protocol/outbox.js").Item} sent */
function drawSent(node, { id, text, attachments, state, error }) {
  const word = { waiting: "Waits for the gateway", sending: "On its way", sent: "Taken", failed: error ?? "Not sent" }[state];
  const again = h("button", { type: "button", class: "small", onClick: () => outbox.again(id) }, "Try again");
  const drop = h("button", { type: "button", class: "small quiet", onClick: () => attempt(async () => outbox.discard(id)) }, "Discard");
  const files = attachments.map(({ fileName }) => h("div", { class: "file" }, icon("file"), fileName));
  const status = h("p", { class: state === "failed" ? "problem" : "soft ended" });
  say(status, word);
  node.classList.add("said");
  fill(
    node,
    h("div", { class: "bubble" }, text && words(text, false), ...files),
    status,
    state === "failed" && h("div", { class: "actions shown" }, again, drop),
  );
}
