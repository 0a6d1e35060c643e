// What can be done to a session, from the list and from its own page.

import { announce } from "../clipboard.js";
import { go } from "../router.js";
import { forget } from "../store/conversations.js";
import { call, stop } from "../store/gateway.js";
import { heardSession, titleOf } from "../store/sessions.js";
import { changed, may, state } from "../store/state.js";
import { attempt } from "./act.js";
import { ask, openMenu } from "./menu.js";

/** Changes what a session is set to. @param {string} key @param {object} change */
export async function patch(key, change) {
  const { entry } = await call("sessions.patch", { key, ...change });
  heardSession(entry);
}

/** @param {HTMLElement} at @param {string} key */
export function sessionMenu(at, key) {
  const row = state.sessions.get(key);
  const title = titleOf(row, key);
  const set = (/** @type {object} */ change) => attempt(() => patch(key, change));
  const mayChange = may("sessions.patch") && row !== undefined;
  const mayEnd = may("sessions.delete") && row !== undefined;
  openMenu(at, [
    row?.hasActiveRun && may("chat.abort") && { label: "Stop", icon: "stop", run: () => attempt(() => stop(key)) },
    mayChange && { label: "Rename", icon: "edit", run: () => rename(key, title) },
    mayChange && { label: row.pinned ? "Do not keep at the top" : "Keep at the top", icon: "pin", run: () => set({ pinned: !row.pinned }) },
    mayChange && { label: row.unread ? "Mark as read" : "Mark as unread", icon: "bubble", run: () => set({ unread: !row.unread }) },
    mayChange && { label: row.archived ? "Take out of the archive" : "Archive", icon: "archive", run: () => set({ archived: !row.archived }) },
    mayEnd && { label: "Begin anew", icon: "refresh", danger: true, run: () => reset(key, title) },
    mayEnd && !row.isMain && { label: "Delete", icon: "trash", danger: true, run: () => remove(key, title) },
    { label: "Copy the key", icon: "copy", run: () => import("../clipboard.js").then(({ copy }) => copy(key)) },
  ]);
}

/** @param {string} key @param {string} title */
function rename(key, title) {
  ask({
    title: "Rename the conversation",
    label: "Rename",
    field: "Title",
    value: title,
    run: (value) => patch(key, { displayName: value || null }),
  });
}

/** @param {string} key @param {string} title */
function reset(key, title) {
  ask({
    title: "Begin anew?",
    label: "Begin anew",
    danger: true,
    word: "anew",
    text: `“${title}” starts with an empty page. The assistant no longer knows what was said in it.`,
    run: async () => {
      const { entry } = await call("sessions.reset", { key, reason: "reset" });
      forget(key);
      heardSession(entry);
    },
  });
}

/** @param {string} key @param {string} title */
function remove(key, title) {
  ask({
    title: "Delete the conversation?",
    label: "Delete",
    danger: true,
    word: "delete",
    text: `“${title}” and all that was said in it is gone for good.`,
    run: async () => {
      await call("sessions.delete", { key });
      state.sessions.delete(key);
      changed("sessions");
      announce("Deleted");
      if (state.place[1] === key) go();
    },
  });
}
