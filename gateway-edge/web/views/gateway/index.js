// Looking after the gateway: one place with a tab for each part of it. A new part is a file here and a line in PARTS.

import { fill, h, set } from "../../dom.js";
import { to } from "../../router.js";
import { may, watch } from "../../store/state.js";
import { back } from "../now.js";
import { channels } from "./channels.js";
import { devices } from "./devices.js";
import { logs } from "./logs.js";
import { nodes } from "./nodes.js";
import { schedules } from "./schedules.js";
import { settings } from "./settings.js";
import { status } from "./status.js";
import { usage } from "./usage.js";

/** @typedef {import("../shell.js").View} View */

/** Name in the address, name for people, the method without which it is empty, and what draws it.
 * @type {[string, string, string, (rest: string[]) => View][]} */
const PARTS = [
  ["status", "Status", "status", status],
  ["channels", "Channels", "channels.status", channels],
  ["devices", "Devices", "device.pair.list", devices],
  ["nodes", "Nodes", "node.list", nodes],
  ["schedules", "Schedules", "cron.list", schedules],
  ["usage", "Usage", "usage.cost", usage],
  ["logs", "Logs", "logs.tail", logs],
  ["settings", "Settings", "config.get", settings],
];

/** @param {string[]} rest @returns {View} */
export function gateway([name = "status", ...rest]) {
  const part = PARTS.find(([known]) => known === name) ?? PARTS[0];
  const tabs = h("nav", { class: "tabs", "aria-label": "Parts of the gateway" });
  const view = part[3](rest);
  const body = h("div", { class: "scroller" }, view.node);
  if (part[0] === "logs") body.classList.add("whole");
  const node = h("section", { class: "page" }, h("header", { class: "head" }, back(), h("div", {}, h("h1", {}, "Gateway"))), tabs, body);
  document.title = `${part[1]} · Gatehouse`;
  set(node, { "aria-label": part[1] });
  // What this browser may is known when the gateway has greeted it, which can be after the page was opened.
  let drawn = "";
  const stop = watch(["condition"], () => {
    const offered = PARTS.filter(([, , method]) => may(method));
    const names = offered.map(([known]) => known).join();
    if (names === drawn) return;
    drawn = names;
    fill(tabs, ...offered.map(([known, label]) => h("a", { ...to("gateway", known), "aria-current": known === part[0] ? "page" : null }, label)));
    // With the next picture: until then the page may not be in the document, and nothing in it has a place.
    requestAnimationFrame(() => tabs.querySelector("[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" }));
  });
  const close = () => {
    stop();
    view.close();
  };
  return { node, close };
}
