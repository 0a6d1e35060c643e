// The model of a session and how hard it thinks, chosen where one writes.

import { fill, h } from "../dom.js";
import { may, state, watch } from "../store/state.js";
import { attempt } from "./act.js";
import { patch } from "./session.js";

/** @param {string} key */
export function choices(key) {
  const model = h("select", { "aria-label": "Model", onChange: () => attempt(() => patch(key, { model: model.value || null })) });
  const thinking = h("select", {
    "aria-label": "How hard it thinks",
    onChange: () => attempt(() => patch(key, { thinkingLevel: thinking.value || null })),
  });
  const node = h("span", { class: "choices" }, model, thinking);
  let drawn = "";
  const close = watch(["sessions", "catalog"], () => {
    const row = state.sessions.get(key);
    const known = (/** @type {string} */ id) => state.models.find((each) => `${each.provider}/${each.id}` === id);
    const answers = row?.modelProvider ? `${row.modelProvider}/${row.model}` : "";
    const levels = known(row?.modelOverride || answers)?.thinkingLevels ?? [];
    const now = JSON.stringify([row?.modelOverride, answers, row?.thinkingLevel, state.models.length, levels.length]);
    if (now === drawn) return;
    drawn = now;
    const usual = row?.modelOverride ? "Default model" : (known(answers)?.name ?? (answers || "Default model"));
    const options = state.models.filter((each) => each.available !== false || `${each.provider}/${each.id}` === row?.modelOverride);
    fill(
      model,
      h("option", { value: "" }, usual),
      ...options.map((each) => h("option", { value: `${each.provider}/${each.id}` }, each.name || each.id)),
    );
    model.value = row?.modelOverride ?? "";
    fill(thinking, h("option", { value: "" }, "Thinking"), ...levels.map((level) => h("option", { value: level.id }, `Thinking: ${level.label}`)));
    thinking.value = row?.thinkingLevel ?? "";
    // A session that does not exist yet is made by its first message.
    node.hidden = !may("sessions.patch") || state.models.length === 0;
    model.hidden = options.length < 2 && !row?.modelOverride;
    thinking.hidden = levels.length < 2;
  });
  return { node, close };
}
