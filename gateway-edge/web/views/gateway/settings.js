// Settings: the configuration as its text, with its comments. It is checked before it is kept, and what needs a restart says so.

import { fill, h } from "../../dom.js";
import { Refused, told } from "../../protocol/refusal.js";
import { to } from "../../router.js";
import { call } from "../../store/gateway.js";
import { may } from "../../store/state.js";
import { ago } from "../../time.js";
import { act, attempt } from "../act.js";
import { ask, toast } from "../menu.js";
import { form } from "./form.js";
import { panel, part, row, section } from "./parts.js";

/** @typedef {{ severity: string, path: string, message: string }} Issue */

/** @param {string[]} rest @returns {import("../shell.js").View} */
export function settings([which = "form"]) {
  const view = which === "text" ? text() : form();
  const way = (/** @type {string} */ name, /** @type {string} */ label) =>
    h("a", { ...to("gateway", "settings", name), "aria-current": name === which ? "page" : null }, label);
  const ways = h("nav", { class: "ways", "aria-label": "How they are shown" }, way("form", "Form"), way("text", "Text"));
  return { node: h("div", {}, ways, view.node), close: view.close };
}

function text() {
  /** @type {HTMLTextAreaElement | undefined} */
  let field;
  let base = "";
  const read = async () => {
    const [config, former] = await Promise.all([call("config.get"), call("config.revisions").catch(() => ({}))]);
    return { config, revisions: former.revisions ?? [] };
  };
  return part(read, ({ config, revisions }, again) => {
    const before = field;
    // What somebody is writing stays, whatever comes meanwhile: keeping it says that the file is another one.
    const isDirty = before !== undefined && before.value !== before.defaultValue;
    if (!isDirty) base = config.hash;
    field = editor(config.raw ?? JSON.stringify(config.parsed ?? {}, null, 2), isDirty ? before : undefined);
    const findings = [...(config.issues ?? []), ...(config.warnings ?? [])];
    return [
      section(
        "Configuration",
        edited(field, () => base, again, findings, config),
      ),
      section(
        "Former texts",
        panel(
          revisions.map((/** @type {any} */ each) => former(each, config.hash, again)),
          "None is kept yet.",
        ),
      ),
    ];
  });
}

/** @param {string} text @param {HTMLTextAreaElement} [before] */
function editor(text, before) {
  const field = h("textarea", { spellcheck: false, "aria-label": "Configuration as JSON5", dir: "ltr", readonly: !may("config.set") }, text);
  if (before) field.value = before.value;
  field.addEventListener("keydown", (event) => {
    if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    /** @type {HTMLButtonElement | null} */ (field.closest(".editor")?.querySelector("button.primary") ?? null)?.click();
  });
  return field;
}

/** @param {HTMLTextAreaElement} field @param {() => string} base @param {() => Promise<void>} again @param {Issue[]} findings @param {any} config */
function edited(field, base, again, findings, { path, valid }) {
  const issues = h("ul", { class: "issues", "aria-live": "polite" });
  show(issues, findings);
  const save = async (force = false) => {
    try {
      const done = await call("config.set", { raw: field.value, baseHash: base(), ...(force && { force: true }) });
      field.defaultValue = field.value;
      const later = done.restartServices ?? [];
      toast(
        done.noop ? "It says so already." : later.length ? `Kept. It acts when these are started again: ${later.join(", ")}.` : "Kept, and in use.",
      );
      await again();
    } catch (error) {
      refused(error, issues, () => save(true), again);
    }
  };
  const drop = () => {
    field.value = field.defaultValue;
    again();
  };
  const buttons = may("config.set")
    ? [act("Check and keep", () => save(), { class: "primary" }), h("button", { type: "button", class: "quiet", onClick: drop }, "Put back")]
    : [h("span", { class: "soft" }, "This browser may read it, and not change it.")];
  const lead = h(
    "p",
    { class: "soft" },
    valid ? `${path}. Secrets are shown as marks, which stand for what is kept.` : `${path} is not valid as it stands: the last valid text runs.`,
  );
  return h("div", { class: "editor" }, lead, field, issues, h("div", { class: "actions" }, ...buttons));
}

/** @param {unknown} error @param {HTMLElement} issues @param {() => Promise<void>} force @param {() => Promise<void>} again */
function refused(error, issues, force, again) {
  if (!(error instanceof Refused)) throw error;
  if (error.reason === "FORCE_REQUIRED") {
    ask({ title: "This opens or closes something", text: error.message, label: "Do it", danger: true, run: force });
  } else if (error.reason === "CONFIG_CHANGED") {
    ask({
      title: "The file was changed meanwhile",
      text: "Your text was made from an older one. Reading it anew drops what you wrote.",
      label: "Read it anew",
      danger: true,
      run: async () => {
        const field = issues.parentElement?.querySelector("textarea");
        if (field) field.value = field.defaultValue;
        await again();
      },
    });
  } else {
    const found = /** @type {Issue[]} */ (error.details.issues ?? [{ severity: "error", path: "", message: told(error) }]);
    show(issues, found);
  }
}

/** @param {HTMLElement} list @param {Issue[]} issues */
function show(list, issues) {
  fill(list, ...issues.map(({ severity, path, message }) => h("li", { class: severity }, path && h("code", {}, path), path && " ", message)));
}

/** @param {{ revision: string, replacedAt: number, note?: string, sizeBytes: number }} former @param {string} baseHash @param {() => Promise<void>} again */
function former({ revision, replacedAt, note, sizeBytes }, baseHash, again) {
  const restore = () =>
    ask({
      title: "Make this text the configuration again?",
      text: `Revision ${revision}, replaced ${ago(replacedAt)}. What stands there now is kept.`,
      label: "Make it so",
      run: async () => {
        await call("config.restore", { revision, baseHash });
        await again();
      },
    });
  const button = may("config.restore") && h("button", { type: "button", class: "small", onClick: () => attempt(async () => restore()) }, "Restore");
  return row(null, revision, [note, `replaced ${ago(replacedAt)}`, `${sizeBytes} bytes`], button);
}
