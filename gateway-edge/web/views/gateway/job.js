// One schedule as a form: a new one, or what is to be different about one that there is.

import { fill, h, set } from "../../dom.js";
import { told } from "../../protocol/refusal.js";
import { call } from "../../store/gateway.js";
import { state } from "../../store/state.js";

/** @typedef {{ kind: "at", at: string } | { kind: "every", everyMs: number, anchorMs?: number } | { kind: "cron", expr: string, tz?: string }} Schedule */
/** @typedef {{ kind: string, text?: string, message?: string }} Payload */
/** @typedef {{ id: string, name: string, displayName?: string, enabled: boolean, schedule: Schedule, payload: Payload, delivery?: { mode: string, channel?: string, to?: string }, agentId?: string, declarationKey?: string, configRevision: string, effectiveAgentId?: string, lastRunAtMs?: number, lastRunStatus?: string, lastRunError?: string, nextRunAtMs?: number, state?: { runningAtMs?: number } }} Job */

/** @type {[string, string][]} */
const UNITS = [
  ["60000", "minutes"],
  ["3600000", "hours"],
  ["86400000", "days"],
];

/** What to fill in, under its name. The name is the field's own as well: that of a label would take in all choices of a list.
 * @param {string} label @param {Element} input */
function field(label, input) {
  set(input, { "aria-label": label });
  return h("label", {}, h("span", {}, label), input);
}

/** @param {[string, string][]} choices @param {string} value */
function select(choices, value) {
  const node = h("select", {}, ...choices.map(([value, label]) => h("option", { value }, label)));
  node.value = value;
  return node;
}

/** @param {string} value @param {{[name: string]: unknown}} [more] */
function text(value, more = {}) {
  const node = h("input", { type: "text", required: true, autocomplete: "off", ...more });
  node.value = value;
  return node;
}

/** A moment as the field for it wants it: the browser's own time. @param {number} at */
function local(at) {
  const date = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 16);
}

/** When it is due: what to fill in, and what was. @param {Schedule | undefined} known */
function timing(known) {
  const kind = select(
    [
      ["every", "Again and again"],
      ["cron", "By the clock"],
      ["at", "Once"],
    ],
    known?.kind ?? "every",
  );
  const everyMs = known?.kind === "every" ? known.everyMs : 3_600_000;
  const unit = UNITS.findLast(([ms]) => everyMs % Number(ms) === 0) ?? UNITS[0];
  const count = text(String(everyMs / Number(unit[0])), { type: "number", min: 0.001, step: "any" });
  const units = select(UNITS, unit[0]);
  const expr = text(known?.kind === "cron" ? known.expr : "0 8 * * 1-5", { spellcheck: false });
  const zone = text(known?.kind === "cron" ? (known.tz ?? "") : Intl.DateTimeFormat().resolvedOptions().timeZone, {
    required: false,
    spellcheck: false,
  });
  const at = text(local(known?.kind === "at" ? Date.parse(known.at) : Date.now() + 3_600_000), { type: "datetime-local" });
  const rest = h("div");
  const draw = () => {
    if (kind.value === "every") fill(rest, field("Every", count), field("Unit", units));
    else if (kind.value === "cron") fill(rest, field("Minute, hour, day, month, weekday", expr), field("Time zone", zone));
    else fill(rest, field("When", at));
  };
  kind.addEventListener("change", draw);
  draw();
  /** @returns {Schedule} */
  const value = () => {
    if (kind.value === "at") return { kind: "at", at: new Date(at.value).toISOString() };
    if (kind.value === "cron") return { kind: "cron", expr: expr.value.trim(), ...(zone.value.trim() && { tz: zone.value.trim() }) };
    const anchor = known?.kind === "every" && known.anchorMs !== undefined ? { anchorMs: known.anchorMs } : {};
    return { kind: "every", everyMs: Math.round(Number(count.value) * Number(units.value)), ...anchor };
  };
  return { nodes: [field("When", kind), rest], value };
}

/** Asks for a new schedule, or for what is to be different about one. @param {Job | null} job @param {() => Promise<void>} again */
export function edit(job, again) {
  const name = text(job?.name ?? "", { maxlength: 200 });
  const words = h("textarea", { rows: 4, required: true });
  words.value = job?.payload.message ?? job?.payload.text ?? "";
  const what = select(
    [
      ["agentTurn", "Ask it in a new conversation"],
      ["systemEvent", "Say it in the main conversation"],
    ],
    job?.payload.kind ?? "agentTurn",
  );
  const before = job?.delivery;
  const isElsewhere = before?.mode === "webhook" || before?.channel !== undefined || before?.to !== undefined;
  const whom = select(
    [
      ...(isElsewhere
        ? /** @type {[string, string][]} */ ([["keep", `As it is: ${before?.channel ?? before?.mode} ${before?.to ?? ""}`.trim()]])
        : []),
      ["announce", "The chat that spoke last"],
      ["none", "Nobody: it stands here"],
    ],
    isElsewhere ? "keep" : (before?.mode ?? (job?.payload.kind === "systemEvent" ? "none" : "announce")),
  );
  const whose = select(
    state.agents.map(({ id, name }) => [id, name ?? id]),
    job?.agentId ?? job?.effectiveAgentId ?? state.defaultAgent,
  );
  const [toldBefore, whoseBefore] = [whom.value, job ? whose.value : state.defaultAgent];
  const due = timing(job?.schedule);
  const trouble = h("p", { class: "problem", role: "alert", hidden: true });
  const go = h("button", { type: "submit", class: "primary" }, job ? "Keep" : "Add");

  /** What is said of the job; of one that there is, only what is to be different. */
  const said = () => {
    const payload = what.value === "agentTurn" ? { kind: "agentTurn", message: words.value } : { kind: "systemEvent", text: words.value };
    const isSame = what.value === job?.payload.kind;
    const schedule = due.value();
    /** @type {{[name: string]: unknown}} */
    const all = { name: name.value.trim(), payload };
    // The same times stay the same, with all that is set of them and not shown here.
    if (!job || !isLike(schedule, job.schedule)) all.schedule = schedule;
    if (!isSame) Object.assign(all, { sessionTarget: what.value === "agentTurn" ? "isolated" : "main", wakeMode: "now" });
    if (!job || whom.value !== toldBefore) all.delivery = { mode: whom.value };
    if (whose.value && whose.value !== whoseBefore) all.agentId = whose.value;
    return all;
  };
  const keep = async (/** @type {Event} */ event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      if (job) await call("cron.update", { id: job.id, patch: said(), expectedConfigRevision: job.configRevision });
      else await call("cron.add", said());
      dialog.close();
      await again();
    } catch (error) {
      trouble.hidden = false;
      trouble.textContent = told(error);
    }
    go.disabled = false;
  };
  const title = job ? `Edit “${job.displayName ?? job.name}”` : "New schedule";
  const dialog = h(
    "dialog",
    { class: "ask", "aria-label": title },
    h(
      "form",
      { onSubmit: keep },
      h("h2", {}, title),
      h(
        "div",
        { class: "fields" },
        field("Name", name),
        ...due.nodes,
        field("What", what),
        field("Words", words),
        field("Who is told of the answer", whom),
        state.agents.length > 1 && field("Agent", whose),
      ),
      trouble,
      h("div", { class: "actions" }, h("button", { type: "button", onClick: () => dialog.close() }, "Cancel"), go),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  name.focus();
}

/** Whether a schedule as the form has it is the one that there is. @param {Schedule} said @param {Schedule} known */
function isLike(said, known) {
  if (said.kind === "at") return known.kind === "at" && Math.abs(Date.parse(said.at) - Date.parse(known.at)) < 60_000;
  return Object.entries(said).every(([key, value]) => /** @type {any} */ (known)[key] === value) && said.kind === known.kind;
}
