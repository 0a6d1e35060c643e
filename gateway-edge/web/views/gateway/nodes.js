// Nodes: devices that do something for the assistant, what they ask for, and a try of what they can do.

import { fill, h } from "../../dom.js";
import { key } from "../../protocol/outbox.js";
import { told } from "../../protocol/refusal.js";
import { call } from "../../store/gateway.js";
import { may } from "../../store/state.js";
import { ago } from "../../time.js";
import { act } from "../act.js";
import { panel, part, row, section } from "./parts.js";

/** A command that takes longer than this is not one to try by hand. */
const TRY_MS = 30_000;

/** @type {any} */
const NONE = {};

export function nodes() {
  const read = async () => {
    const [all, pairing] = await Promise.all([call("node.list"), may("node.pair.list") ? call("node.pair.list") : NONE]);
    return { nodes: all.nodes ?? [], pending: pairing.pending ?? [] };
  };
  return part(
    read,
    ({ nodes, pending }, again) => [
      pending.length > 0 &&
        section(
          "Asking for something",
          panel(
            pending.map((/** @type {any} */ each) => asking(each, again)),
            "",
          ),
        ),
      section("Nodes", panel(nodes.map(known), "None yet. “gatehouse pair --as node” lets one in.")),
      may("node.invoke") && nodes.some((/** @type {any} */ node) => node.connected) && section("Try a command", trial(nodes)),
    ],
    ["requests"],
  );
}

/** @param {any} node @param {() => Promise<void>} again */
function asking({ requestId, nodeId, displayName, commands = [], caps = [], ts }, again) {
  const decide = (/** @type {string} */ method) => async () => {
    await call(method, { requestId });
    await again();
  };
  const facts = [commands.length && `commands ${commands.join(", ")}`, caps.length && `capabilities ${caps.join(", ")}`, ts && ago(ts)];
  return row(
    "fair",
    displayName ?? nodeId.slice(0, 8),
    facts,
    act("Refuse", decide("node.pair.reject"), { class: "small" }),
    act("Allow", decide("node.pair.approve"), { class: "small primary" }),
  );
}

/** @param {any} node */
function known({ displayName, nodeId, connected, platform, version, commands = [], lastSeenAtMs, approvalState }) {
  const facts = [
    connected ? "connected" : lastSeenAtMs ? `seen ${ago(lastSeenAtMs)}` : "not connected",
    approvalState !== "approved" && approvalState,
    platform,
    version,
    commands.join(", "),
  ];
  return row(connected ? "good" : "none", displayName ?? nodeId.slice(0, 8), facts);
}

/** @param {any[]} nodes */
function trial(nodes) {
  const options = nodes.flatMap(({ nodeId, displayName, connected, commands = [] }) =>
    connected
      ? commands.map((/** @type {string} */ command) =>
          h("option", { value: `${nodeId} ${command}` }, `${displayName ?? nodeId.slice(0, 8)}: ${command}`),
        )
      : [],
  );
  const which = h("select", { "aria-label": "Command" }, ...options);
  const params = h("textarea", { rows: 3, spellcheck: false, "aria-label": "Parameters as JSON" });
  params.value = "{}";
  const answer = h("pre", { tabindex: 0, role: "status" });
  const run = act(
    "Run",
    async () => {
      const [nodeId, command] = which.value.split(" ");
      try {
        const done = await call(
          "node.invoke",
          { nodeId, command, params: JSON.parse(params.value), timeoutMs: TRY_MS, idempotencyKey: key() },
          TRY_MS * 1.2,
        );
        fill(answer, JSON.stringify(done.payload ?? done, null, 2));
      } catch (error) {
        fill(answer, told(error));
      }
    },
    { class: "primary" },
  );
  return h("div", { class: "panel" }, h("div", { class: "code-once" }, which, params, h("div", {}, run), answer));
}
