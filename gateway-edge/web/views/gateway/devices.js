// Devices: who waits to be let in, who may come back, and a code for another one.

import { copyFrom } from "../../clipboard.js";
import { fill, h } from "../../dom.js";
import { Refused } from "../../protocol/refusal.js";
import { call } from "../../store/gateway.js";
import { may, state } from "../../store/state.js";
import { ago, lasting } from "../../time.js";
import { act } from "../act.js";
import { ask } from "../menu.js";
import { panel, part, row, section } from "./parts.js";

/** @typedef {{ requestId: string, deviceId: string, displayName?: string, platform?: string, role: string, scopes?: string[], remoteIp?: string, reason: string, ts: number }} Waiting */
/** @typedef {{ deviceId: string, displayName?: string, clientId?: string, platform?: string, roles?: string[], scopes?: string[], remoteIp?: string, lastSeenAtMs?: number, userId?: string }} Paired */

export function devices() {
  return part(
    () => call("device.pair.list"),
    ({ pending = [], paired = [] }, again) => [
      section(
        "Waiting for approval",
        panel(
          pending.map((/** @type {Waiting} */ each) => waiting(each, again)),
          "Nobody waits.",
        ),
      ),
      may("device.pair.setupCode") && section("Another device", codes()),
      section(
        "Paired",
        panel(
          paired.map((/** @type {Paired} */ each) => known(each, again)),
          "None yet.",
        ),
      ),
    ],
    ["requests"],
  );
}

const brief = (/** @type {string[]} */ scopes) => scopes.map((scope) => scope.replace("operator.", "")).join(", ");

/** @param {Waiting} device @param {() => Promise<void>} again */
function waiting({ requestId, deviceId, displayName, platform, role, scopes = [], remoteIp, reason, ts }, again) {
  const decide = (/** @type {string} */ method) => async () => {
    await call(method, { requestId });
    await again();
  };
  const wants = role === "node" ? "wants to be a node" : `wants to ${brief(scopes)}`;
  const facts = [wants, platform, remoteIp, reason !== "not-paired" && reason, ago(ts), deviceId.slice(0, 8)];
  return row(
    "fair",
    displayName ?? deviceId.slice(0, 8),
    facts,
    act("Refuse", decide("device.pair.reject"), { class: "small" }),
    act("Let in", decide("device.pair.approve"), { class: "small primary" }),
  );
}

/** @param {Paired} device @param {() => Promise<void>} again */
function known({ deviceId, displayName, clientId, platform, roles = [], scopes = [], remoteIp, lastSeenAtMs, userId }, again) {
  const isThis = deviceId === state.deviceId;
  const name = displayName ?? clientId ?? deviceId.slice(0, 8);
  const rename = () =>
    ask({
      title: "Rename the device",
      label: "Rename",
      field: "Name",
      value: name,
      run: async (label) => {
        await call("device.pair.rename", { deviceId, label });
        await again();
      },
    });
  const remove = () =>
    ask({
      title: `Remove ${name}?`,
      text: "Its connections are closed, and it has to be let in again.",
      label: "Remove",
      danger: true,
      run: async () => {
        await call("device.pair.remove", { deviceId });
        await again();
      },
    });
  const facts = [
    isThis && "this browser",
    roles.join(", "),
    brief(scopes),
    userId && `of ${userId}`,
    platform,
    remoteIp,
    lastSeenAtMs && `seen ${ago(lastSeenAtMs)}`,
    deviceId.slice(0, 8),
  ];
  return row(
    isThis ? "good" : null,
    name,
    facts,
    h("button", { type: "button", class: "small", onClick: rename }, "Rename"),
    !isThis && h("button", { type: "button", class: "small danger", onClick: remove }, "Remove"),
  );
}

/** Names of the machine itself, which lead nobody else to it. */
const LOCAL = /^(localhost|127\.[\d.]+|\[::1\])$/;

/** A code for a device. Where nobody has said how the gateway is reached, a device reaches it as this browser does. @param {string} profile */
async function code(profile) {
  const params = { bootstrapProfile: profile };
  try {
    return await call("device.pair.setupCode", params);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return await call("device.pair.setupCode", { ...params, publicUrl: location.origin });
  }
}

/** A pairing link, made when somebody asks for one. */
function codes() {
  const shown = h("div", { class: "code-once", hidden: true });
  const make = (/** @type {string} */ profile) => async () => {
    const { setupCode, expiresAtMs, gatewayUrl } = await code(profile);
    const { origin, hostname } = new URL(gatewayUrl.replace(/^ws/, "http"));
    const link = `${origin}${location.pathname.replace(/gateway\/devices$/, "")}#code=${setupCode}`;
    const copy = h("button", { type: "button", class: "small" }, "Copy");
    const text = profile === "node" ? setupCode : link;
    copy.addEventListener("click", () => copyFrom(copy, text));
    const about = profile === "node" ? "The code for the node:" : "Open this link on the other device:";
    fill(
      shown,
      h("p", {}, about),
      h("code", {}, text),
      LOCAL.test(hostname) &&
        h(
          "p",
          {},
          `No other machine reaches ${origin}: open this page by the address that the device reaches, or set gateway.publicOrigin in the settings.`,
        ),
      h("p", { class: "soft" }, `Good once, for ${lasting(expiresAtMs - Date.now())}. “gatehouse pair” shows a picture of it for phones.`),
      copy,
    );
    shown.hidden = false;
  };
  const rows = [
    row(null, "A browser or phone that chats", ["reads and writes"], act("Make a link", make("limited"), { class: "small" })),
    row(null, "One that may do all that you may", ["looks after the gateway as well"], act("Make a link", make("full"), { class: "small" })),
    row(null, "A node", ["is asked to do things"], act("Make a code", make("node"), { class: "small" })),
  ];
  return h("div", { class: "panel" }, ...rows, shown);
}
