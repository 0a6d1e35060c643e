// The list of sessions: read once by pages, kept right by events.

import { reconcile } from "./runs.js";
import { changed, state } from "./state.js";

/** @typedef {import("../protocol/types.js").SessionRow} SessionRow */
/** @typedef {(method: string, params: object) => Promise<any>} Call */

const PAGE = 100;

/** @param {Call} call @param {{ archived?: boolean, search?: string, offset?: number }} [which] */
export async function readSessions(call, { archived = false, search = "", offset = 0 } = {}) {
  const params = { limit: PAGE, offset, archived, includeDerivedTitles: true, includeLastMessage: true, ...(search && { search }) };
  const page = await call("sessions.list", params);
  if (offset === 0 && !archived && !search) state.sessions = new Map([...state.sessions].filter(([key]) => state.conversations.has(key)));
  for (const row of page.sessions ?? []) put(row);
  if (!search && !archived) state.sessionsMore = page.hasMore ? page.nextOffset : 0;
  state.sessionsLoaded = true;
  changed("sessions");
  return page;
}

/** @param {SessionRow} row */
function put(row) {
  const known = state.sessions.get(row.key);
  state.sessions.set(row.key, { ...known, ...row });
  reconcile(row);
}

/** The event `sessions.changed`. @param {{ sessionKey: string, reason: string, session?: SessionRow }} event */
export function heardChange({ sessionKey, reason, session }) {
  if (reason === "delete") state.sessions.delete(sessionKey);
  else if (session) put(session);
  changed("sessions");
}

/** A row of a session as an answer brought it. @param {SessionRow} row */
export function heardSession(row) {
  put(row);
  changed("sessions");
}

/** What a person calls a session. @param {SessionRow | undefined} row @param {string} [key] */
export function titleOf(row, key = row?.key ?? "") {
  const said = row?.displayName || row?.label || row?.derivedTitle;
  if (said) return said;
  const [, agent = "", ...rest] = key.split(":");
  if (rest.join(":") === "main") return agent === "main" ? "Main conversation" : `Main conversation of ${agent}`;
  if (rest[0] === "dashboard" || rest.length === 0) return "New conversation";
  return rest.filter((part) => part !== "direct" && part !== "group").join(" · ");
}

/** Those that are not put away, as a list shows them: pinned ones first, then by the last word. @param {boolean} archived */
export function sorted(archived) {
  const at = (/** @type {SessionRow} */ row) => row.lastInteractionAt ?? row.updatedAt;
  return [...state.sessions.values()].filter((row) => row.archived === archived).sort((a, b) => Number(b.pinned) - Number(a.pinned) || at(b) - at(a));
}
