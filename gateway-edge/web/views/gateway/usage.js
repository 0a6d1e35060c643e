// Usage: tokens and money by day, and by model.

import { h } from "../../dom.js";
import { call } from "../../store/gateway.js";
import { amount, counted } from "../../time.js";
import { panel, part, row, section } from "./parts.js";

const DAYS = 30;
const DAY_MS = 86_400_000;

/** @typedef {{ date: string, totalTokens: number, totalCost: number }} Day */

export function usage() {
  const range = { days: DAYS, mode: "specific", timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone };
  const read = async () => {
    const [cost, sessions] = await Promise.all([call("usage.cost", range), call("sessions.usage", {}).catch(() => ({}))]);
    return { cost, models: sessions.aggregates?.byModel ?? [] };
  };
  return part(read, ({ cost, models }) => {
    const { totals, daily = [] } = cost;
    const figures = h(
      "div",
      { class: "figures" },
      figure(amount(totals.totalTokens), "tokens in 30 days"),
      figure(amount(totals.input), "read"),
      figure(amount(totals.output), "written"),
      figure(
        money(totals.totalCost),
        totals.missingCostEntries ? `${counted(totals.missingCostEntries, "answer")} without a price` : "by the prices in the settings",
      ),
    );
    const rows = models.map((/** @type {any} */ each) =>
      row(null, [each.provider, each.model].filter(Boolean).join("/"), [
        counted(each.count, "answer"),
        `${amount(each.totals.totalTokens)} tokens`,
        each.totals.totalCost > 0 && money(each.totals.totalCost),
      ]),
    );
    return [figures, section("By day", bars(daily)), section("By model", panel(rows, "No model has answered yet."))];
  });
}

/** @param {string} value @param {string} label */
const figure = (value, label) => h("div", {}, h("strong", {}, value), h("span", {}, label));

const money = (/** @type {number} */ cost) => cost.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: cost < 1 ? 4 : 2 });

/** @param {Day[]} daily */
function bars(daily) {
  const known = new Map(daily.map((day) => [day.date, day]));
  const days = Array.from({ length: DAYS }, (_, at) => {
    const date = new Date(Date.now() - (DAYS - 1 - at) * DAY_MS);
    return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
  });
  const most = Math.max(1, ...daily.map(({ totalTokens }) => totalTokens));
  const bar = (/** @type {string} */ date) => {
    const tokens = known.get(date)?.totalTokens ?? 0;
    const node = h("div", { title: `${date}: ${amount(tokens)} tokens` });
    node.style.height = `${(tokens / most) * 100}%`;
    return node;
  };
  const sum = `${amount(daily.reduce((sum, { totalTokens }) => sum + totalTokens, 0))} tokens on ${daily.length} days; at most ${amount(most)} on one`;
  return h(
    "div",
    { class: "panel" },
    h("div", { class: "bars", role: "img", "aria-label": sum }, ...days.map(bar)),
    h("div", { class: "bar-days soft" }, h("span", {}, days[0]), h("span", {}, days[DAYS - 1])),
  );
}
