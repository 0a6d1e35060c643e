// How the gateway is: its services, what each of them runs, and who is connected.

import { h } from "../../dom.js";
import { call, signOut } from "../../store/gateway.js";
import { state } from "../../store/state.js";
import { ago, lasting } from "../../time.js";
import { ask, toast } from "../menu.js";
import { canNotify, notifies, setNotify } from "../notify.js";
import { panel, part, row, section } from "./parts.js";

/** @typedef {{ service: string, version: string, state: string, detail?: string, configHash?: string, uptimeMs: number, components?: { name: string, ok: boolean, detail?: string }[] }} Service */

/** @type {{[state: string]: "good" | "fair" | "bad"}} */
const LIGHTS = { serving: "good", starting: "fair", degraded: "fair", not_serving: "bad", silent: "bad" };

export function status() {
  const read = async () => {
    const [whole, presence] = await Promise.all([call("status"), call("system-presence").catch(() => [])]);
    return { whole, presence };
  };
  return part(read, ({ whole, presence }) => draw(whole, presence), ["health"]);
}

/** @param {any} whole @param {any[]} presence */
function draw(whole, presence) {
  const services = /** @type {Service[]} */ (whole.services ?? []);
  const isAll = services.every(({ configHash }) => !configHash || configHash === whole.configHash);
  const figures = h(
    "div",
    { class: "figures" },
    figure(whole.ok ? "Well" : "In part", whole.ok ? "every service serves" : "see below"),
    figure(lasting(whole.uptimeMs), "since the start"),
    figure(String(whole.connections), whole.connections === 1 ? "client is connected" : "clients are connected"),
    figure(whole.version, isAll ? "one revision everywhere" : "a revision is on its way"),
  );
  const rows = services.map(({ service, state, detail, version, uptimeMs, configHash, components = [] }) => {
    const ill = components.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail ?? "not well"}`);
    const words = state === "serving" ? null : state.replace("_", " ");
    const light = LIGHTS[state] ?? "fair";
    return row(light === "good" && ill.length ? "fair" : light, service, [
      words,
      detail,
      ...ill,
      `${version}, up ${lasting(uptimeMs)}`,
      configHash && `revision ${configHash.slice(0, 8)}`,
    ]);
  });
  const clients = presence
    .filter((entry) => entry.mode !== "gateway" && entry.reason !== "self")
    .map((entry) =>
      row("good", entry.displayName ?? entry.text ?? entry.host ?? entry.mode, [entry.mode, entry.platform, entry.ip, entry.ts && ago(entry.ts)]),
    );
  return [figures, section("Services", panel(rows, "None is known.")), section("Connected now", panel(clients, "Nobody but you.")), session()];
}

/** @param {string} value @param {string} label */
const figure = (value, label) => h("div", {}, h("strong", {}, value), h("span", {}, label));

/** What this browser may, and how it leaves. */
function session() {
  const scopes = (state.hello?.auth.scopes ?? []).map((scope) => scope.replace("operator.", ""));
  const leave = () => {
    const word = state.deviceId ? "The gateway forgets this browser, and this browser all that it keeps." : "This browser forgets all that it keeps.";
    ask({
      title: "Sign out?",
      text: word,
      label: "Sign out",
      danger: true,
      run: async () => {
        const revoked = await signOut();
        toast(revoked ? "Signed out, and forgotten by the gateway." : "Signed out on this browser.");
      },
    });
  };
  const out = h("button", { type: "button", class: "danger small", onClick: leave }, "Sign out");
  const tell = h("input", { type: "checkbox", checked: notifies(), "aria-label": "Tell me when an answer ends and the page is hidden" });
  tell.addEventListener("change", async () => {
    tell.checked = await setNotify(tell.checked);
  });
  const notes = canNotify() ? [row(null, "Notifications", ["when an answer ends and the page is hidden"], tell)] : [];
  return section(
    "This browser",
    panel(
      [
        ...notes,
        row(
          null,
          state.deviceId ? `Device ${state.deviceId.slice(0, 8)}` : "No device: this address is not encrypted",
          [`may ${scopes.join(", ")}`],
          out,
        ),
      ],
      "",
    ),
  );
}
