// Settings as a form: each key with what its schema says of it. Every change is one patch, checked by the gateway before it is kept.

import { fill, h } from "../../dom.js";
import { Refused, told } from "../../protocol/refusal.js";
import { call } from "../../store/gateway.js";
import { may } from "../../store/state.js";
import { ask, toast } from "../menu.js";
import { part } from "./parts.js";
import { change, shapeOf, valueAt } from "./schema.js";

/** @typedef {import("./schema.js").Schema} Schema */
/** @typedef {{ label: string, help?: string, sensitive?: boolean }} Hint */
/** @typedef {{ written: any, whole: any, hints: {[path: string]: Hint}, hash: string, again: () => Promise<void> }} Settings */

/** What stands for a secret that is kept. */
const HIDDEN = "__OPENCLAW_REDACTED__";

/** The schema of one version of the gateway does not change. @type {Promise<any> | undefined} */
let schema;

export function form() {
  const read = async () => {
    schema ??= call("config.schema").catch((error) => {
      schema = undefined;
      throw error;
    });
    const [config, known] = await Promise.all([call("config.get"), schema]);
    return { config, known };
  };
  /** Which parts were open before they were drawn anew. @type {Set<string>} */
  const open = new Set();
  return part(read, ({ config, known }, again) => {
    /** @type {Settings} */
    const settings = { again, written: config.sourceConfig ?? {}, whole: config.config ?? {}, hints: known.uiHints ?? {}, hash: config.hash };
    const shape = shapeOf(known.schema);
    const sections = shape.kind === "section" ? shape.properties.filter(([name]) => name !== "$schema") : [];
    return [h("div", { class: "form" }, ...sections.map(([name, schema]) => field([name], [name], schema, settings, open)))];
  });
}

/** One key. `named` is its path as hints have it, where the names of entries are stars.
 * @param {string[]} path @param {string[]} named @param {Schema} schema @param {Settings} settings @param {Set<string>} open @returns {Node} */
function field(path, named, schema, settings, open) {
  const hint = settings.hints[named.join(".")];
  const label = named.at(-1) === "*" ? (path.at(-1) ?? "") : (hint?.label ?? path.at(-1) ?? "");
  const shape = shapeOf(schema);
  if (shape.kind === "section") return group(path, named, label, hint?.help ?? schema.description ?? "", shape, settings, open);
  const value = valueAt(settings.written, path);
  const usual = valueAt(settings.whole, path) ?? schema.default;
  const name = path.join(".");
  const mayChange = may("config.patch") && !schema["x-by-hand"];
  const about = [
    hint?.help ?? schema.description,
    schema["x-by-hand"] && "Only set by editing the file.",
    schema["x-at-start"] && `Acts when ${schema["x-at-start"]} is started again.`,
  ]
    .filter(Boolean)
    .join(" ");
  const isSecret = hint?.sensitive ?? false;
  const input = control(shape, value, usual, isSecret, mayChange);
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  if (input) {
    const id = `key-${name}`;
    input.id = id;
    input.addEventListener("change", () => keep(path, read(shape, input), settings, problem));
    const unset =
      value !== undefined &&
      mayChange &&
      h(
        "button",
        { type: "button", class: "quiet small", "aria-label": `Unset ${label}`, onClick: () => keep(path, null, settings, problem) },
        "Unset",
      );
    return h(
      "div",
      { class: "key" },
      h("label", { for: id }, h("span", {}, label), h("code", {}, name)),
      h("div", { class: "value" }, input, unset),
      about && h("p", { class: "soft" }, about),
      problem,
    );
  }
  const shown = value === undefined ? "not set" : "set in the text";
  return h("div", { class: "key" }, h("div", {}, h("span", {}, label), h("code", {}, name)), h("p", { class: "soft" }, `${shown}. ${about}`));
}

/** @param {string[]} path @param {string[]} named @param {string} label @param {string} about @param {import("./schema.js").Section} shape @param {Settings} settings @param {Set<string>} open */
function group(path, named, label, about, { properties, entries }, settings, open) {
  const name = path.join(".");
  const node = h("details", { class: "keys", open: open.has(name) });
  const draw = () => {
    const known = entries
      ? Object.keys(/** @type {object} */ (valueAt(settings.written, path) ?? {})).filter((each) => !properties.some(([name]) => name === each))
      : [];
    const children = [
      ...properties.map(([each, schema]) => field([...path, each], [...named, each], schema, settings, open)),
      ...known.map((each) => field([...path, each], [...named, "*"], /** @type {Schema} */ (entries), settings, open)),
    ];
    fill(
      node,
      summary,
      h(
        "div",
        {},
        about && h("p", { class: "soft" }, about),
        ...children,
        entries && h("p", { class: "soft" }, "Another entry is added in the text."),
      ),
    );
  };
  const count = Object.keys(/** @type {object} */ (valueAt(settings.written, path) ?? {})).length;
  const summary = h("summary", {}, h("strong", {}, label), h("span", { class: "soft" }, count ? `${count} set` : ""));
  fill(node, summary);
  // What is in it is made when somebody looks: there are hundreds of keys.
  node.addEventListener("toggle", () => {
    if (node.open) open.add(name);
    else open.delete(name);
    if (node.open && node.childElementCount === 1) draw();
  });
  if (open.has(name)) draw();
  return node;
}

/** @param {import("./schema.js").Shape} shape @param {unknown} value @param {unknown} usual @param {boolean} isSecret @param {boolean} mayChange
 * @returns {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement | null} */
function control(shape, value, usual, isSecret, mayChange) {
  const isKept = value === HIDDEN || (value !== null && typeof value === "object" && !Array.isArray(value));
  const hint = isKept ? "kept, and not shown" : usual === undefined || usual === null || isSecret ? "not set" : String(usual);
  const text = isKept || value === undefined || value === null ? "" : String(value);
  const options = (/** @type {[string, string][]} */ choices) => {
    const select = h(
      "select",
      { disabled: !mayChange },
      h("option", { value: "" }, `Default${hint === "not set" ? "" : ` (${hint})`}`),
      ...choices.map(([value, label]) => h("option", { value }, label)),
    );
    select.value = text;
    return select;
  };
  switch (shape.kind) {
    case "switch":
      return options([
        ["true", "On"],
        ["false", "Off"],
      ]);
    case "choice":
      if (!shape.isOpen) return options(shape.choices.map(({ value, about }) => [value, about ? `${value} — ${about}` : value]));
      return h("input", { type: "text", value: text, placeholder: hint, readonly: !mayChange, spellcheck: false });
    case "number":
      return h("input", {
        type: "number",
        value: text,
        placeholder: hint,
        min: shape.min,
        max: shape.max,
        step: shape.whole ? 1 : "any",
        readonly: !mayChange,
      });
    case "text":
      return h("input", {
        type: isSecret ? "password" : "text",
        value: isSecret ? "" : text,
        placeholder: hint,
        autocomplete: "off",
        spellcheck: false,
        readonly: !mayChange,
      });
    case "list":
      return h(
        "textarea",
        { rows: 2, placeholder: "one on each line", readonly: !mayChange, spellcheck: false },
        Array.isArray(value) ? value.join("\n") : "",
      );
    default:
      return null;
  }
}

/** What somebody chose; null: nothing. @param {import("./schema.js").Shape} shape @param {{ value: string }} input */
function read(shape, { value }) {
  const text = value.trim();
  if (shape.kind === "list")
    return text
      ? text
          .split("\n")
          .map((line) => line.trim())
          .filter(Boolean)
      : null;
  if (text === "") return null;
  if (shape.kind === "number") return Number(text);
  return shape.kind === "switch" ? text === "true" : text;
}

/** Keeps one value. @param {string[]} path @param {unknown} value @param {Settings} settings @param {HTMLElement} problem */
async function keep(path, value, settings, problem) {
  problem.hidden = true;
  const patch = async (force = false) => {
    const params = {
      raw: JSON.stringify(change(path, value)),
      baseHash: settings.hash,
      replacePaths: Array.isArray(value) ? [path.join(".")] : [],
      ...(force && { force }),
    };
    const done = await call("config.patch", params);
    settings.hash = done.hash;
    const later = done.restartServices ?? [];
    await settings.again();
    document.getElementById(`key-${path.join(".")}`)?.focus();
    if (!done.noop) toast(later.length ? `Kept. It acts when these are started again: ${later.join(", ")}.` : "Kept, and in use.");
  };
  try {
    await patch();
  } catch (error) {
    if (error instanceof Refused && error.reason === "FORCE_REQUIRED") {
      ask({ title: "This opens or closes something", text: error.message, label: "Do it", danger: true, run: () => patch(true) });
      return;
    }
    problem.hidden = false;
    problem.textContent = told(error);
  }
}
