// Where one writes: a field that grows, files that are dropped or pasted on it, commands that complete themselves, send and stop.

import { fill, h, set } from "../dom.js";
import { icon } from "../icons.js";
import { outbox, stop } from "../store/gateway.js";
import { runsOf } from "../store/runs.js";
import { may, state, watch } from "../store/state.js";
import { size } from "../time.js";
import { attempt, iconButton } from "./act.js";
import { choices } from "./choices.js";
import { commandMenu } from "./commands.js";
import { draftOf, keepDraft } from "./drafts.js";
import { toast } from "./menu.js";

/** @typedef {import("../protocol/types.js").Attachment} Attachment */

/** As many as a message may have. */
const FILES_MAX = 16;

/** Lines that the field grows to before it scrolls. */
const FIELD_PX_MAX = 240;

/** @param {string} key */
export function composer(key) {
  /** @type {(Attachment & { bytes: number })[]} */
  let files = [];
  const field = h("textarea", { rows: 1, placeholder: "Message", "aria-label": "Message", dir: "auto", enterkeyhint: isTouch() ? "enter" : "send" });
  const shelf = h("div", { class: "files" });
  const picker = h("input", {
    type: "file",
    multiple: true,
    class: "off-screen",
    tabindex: -1,
    "aria-hidden": "true",
    onChange: () => take(picker.files),
  });
  const attach = iconButton("attach", "Add pictures or files", () => picker.click());
  const send = iconButton("send", "Send", () => say(), "primary");
  const halt = iconButton("stop", "Stop the answer", () => attempt(() => stop(key)), "halt");
  const menu = commandMenu(field, () => grow());
  const chosen = choices(key);
  const box = h(
    "div",
    { class: "composer" },
    menu.node,
    shelf,
    field,
    h("div", { class: "tools" }, attach, chosen.node, h("span", { class: "space" }), halt, send),
    picker,
  );
  const refused = h("p", { class: "soft read-only" }, icon("lock"), "This browser may read here, and not write.");
  const node = h("div", {}, box, refused);

  const grow = () => {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, FIELD_PX_MAX)}px`;
    const isEmpty = !field.value.trim() && files.length === 0;
    send.disabled = isEmpty;
    keepDraft(key, field.value);
  };
  const say = () => {
    const text = field.value.trim();
    if (!text && files.length === 0) return;
    outbox.add(
      key,
      text,
      files.map(({ bytes: _, ...file }) => file),
    );
    field.value = "";
    files = [];
    drawFiles();
    grow();
    field.focus();
  };
  /** @param {Iterable<File> | null | undefined} list */
  const take = async (list) => {
    const most = state.hello?.policy.attachments.maxBytes ?? Infinity;
    for (const file of list ?? []) {
      if (files.length >= FILES_MAX) toast(`A message takes ${FILES_MAX} files at most.`);
      else if (file.size > most) toast(`${file.name} is larger than the ${size(most)} that the gateway takes.`);
      else files.push({ fileName: file.name, mimeType: file.type || "application/octet-stream", bytes: file.size, content: await base64(file) });
    }
    picker.value = "";
    drawFiles();
    grow();
  };
  const drawFiles = () => {
    const chips = files.map((file, at) => {
      const drop = () => {
        files.splice(at, 1);
        drawFiles();
        grow();
      };
      return h(
        "span",
        { class: "chip" },
        icon(file.mimeType.startsWith("image/") ? "image" : "file"),
        h("bdi", {}, file.fileName),
        h("small", {}, size(file.bytes)),
        iconButton("close", `Leave ${file.fileName} out`, drop, "quiet"),
      );
    });
    fill(shelf, ...chips);
  };

  field.addEventListener("input", grow);
  field.addEventListener("keydown", (event) => {
    if (menu.key(event) || event.key !== "Enter" || event.shiftKey || event.isComposing || isTouch()) return;
    event.preventDefault();
    say();
  });
  field.addEventListener("paste", ({ clipboardData }) => take(clipboardData?.files));
  for (const type of ["dragover", "dragleave", "drop"]) {
    box.addEventListener(type, (event) => {
      const { dataTransfer } = /** @type {DragEvent} */ (event);
      if (!dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      box.classList.toggle("drop", type === "dragover");
      if (type === "drop") take(dataTransfer.files);
    });
  }
  const close = watch(["runs", "condition", "catalog"], () => {
    const mayWrite = state.hello === null || may("chat.send");
    box.hidden = !mayWrite;
    refused.hidden = mayWrite;
    halt.hidden = runsOf(key).length === 0 || !may("chat.abort");
    set(field, { placeholder: runsOf(key).length ? "Say something more" : "Message" });
  });
  field.value = draftOf(key) || shared();
  queueMicrotask(() => {
    grow();
    if (!isTouch()) field.focus();
  });
  return {
    node,
    close: () => {
      close();
      chosen.close();
    },
  };
}

/** What another app handed over, when the page was opened to share it. */
function shared() {
  const said = new URLSearchParams(location.search);
  const text = ["title", "text", "url"]
    .map((name) => said.get(name))
    .filter(Boolean)
    .join("\n");
  if (location.search) history.replaceState(history.state, "", location.pathname);
  return text;
}

const isTouch = () => matchMedia("(pointer: coarse)").matches;

/** @param {File} file @returns {Promise<string>} */
function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
