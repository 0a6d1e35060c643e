// Chat channels: how each account is, and the strangers who ask to be let in.

import { h } from "../../dom.js";
import { call } from "../../store/gateway.js";
import { may } from "../../store/state.js";
import { ago } from "../../time.js";
import { act } from "../act.js";
import { link } from "./link.js";
import { panel, part, row, section } from "./parts.js";

/** @typedef {{ requestId: string, channel: string, channelLabel: string, accountId: string, senderId: string, senderLabel: string, createdAt: string, notifySupported: boolean }} Stranger */

/** @type {any} */
const NONE = {};

export function channels() {
  const read = async () => {
    const [status, pairing] = await Promise.all([call("channels.status"), may("channels.pairing.list") ? call("channels.pairing.list") : NONE]);
    return { status, strangers: /** @type {Stranger[]} */ (pairing.requests ?? []) };
  };
  return part(
    read,
    ({ status, strangers }, again) => [
      strangers.length > 0 &&
        section(
          "Strangers who ask to be let in",
          panel(
            strangers.map((each) => stranger(each, again)),
            "",
          ),
        ),
      section("Accounts", panel(accounts(status, again), "No channel is configured. “channels” in the settings adds one.")),
    ],
    ["health", "requests"],
  );
}

/** @param {any} status @param {() => Promise<void>} again */
function accounts(status, again) {
  return (status.channelOrder ?? Object.keys(status.channelAccounts ?? {})).flatMap((/** @type {string} */ channel) =>
    (status.channelAccounts?.[channel] ?? []).map((/** @type {any} */ account) => {
      const label = status.channelLabels?.[channel] ?? channel;
      const id = account.accountId;
      const light = !account.running ? "none" : account.connected ? "good" : "bad";
      const words = !account.running
        ? "stopped"
        : account.connected
          ? "connected"
          : account.login
            ? "waits to be linked"
            : (account.lastError ?? "not connected");
      const heard = account.lastInboundAt && `heard ${ago(account.lastInboundAt)}`;
      const turn = account.running ? "channels.stop" : "channels.start";
      const button =
        may(turn) &&
        act(
          account.running ? "Stop" : "Start",
          async () => {
            await call(turn, { channel, accountId: id });
            await again();
          },
          { class: "small" },
        );
      const [code, box] = account.login && may("web.login.start") ? link(channel, id, again) : [null, null];
      const line = row(light, `${label} · ${id}`, [words, heard], code, button);
      return box ? h("div", {}, line, box) : line;
    }),
  );
}

/** @param {Stranger} stranger @param {() => Promise<void>} again */
function stranger({ requestId, channel, channelLabel, accountId, senderId, senderLabel, createdAt, notifySupported }, again) {
  const decide = (/** @type {string} */ method, /** @type {object} */ more) => async () => {
    await call(method, { channel, accountId, requestId, ...more });
    await again();
  };
  const facts = [`${channelLabel} · ${accountId}`, senderId !== senderLabel && senderId, ago(Date.parse(createdAt))];
  return row(
    null,
    senderLabel || senderId,
    facts,
    act("Dismiss", decide("channels.pairing.dismiss", {}), { class: "small" }),
    act("Let in", decide("channels.pairing.approve", notifySupported ? { notify: true } : {}), { class: "small primary" }),
  );
}
