// With what the page comes back: the device's own token, and what it was granted. Where a browser gives no key to a page, the token
// that was entered, for as long as the tab is open and no longer.

import { drop, keep, take } from "./keep.js";

/** @typedef {import("./connection.js").Credential} Credential */

/** All that an operator may be granted. Whoever shows a token gets of it what the token is good for. */
const ALL = ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing", "operator.questions"];

const ME = "me";
const TAB = "gatehouse.login";

/** @param {string} token @returns {Credential} */
export const byToken = (token) => ({ kind: "token", secret: token, scopes: ALL });

/** The credential in a pairing code: what `gatehouse pair` prints. `null`: it is none.
 * @param {string} code
 * @returns {Credential | null} */
export function byCode(code) {
  try {
    const text = atob(code.replaceAll("-", "+").replaceAll("_", "/"));
    const { bootstrapToken } = JSON.parse(text);
    // The address in it is that of the gateway. The page has one already, and connects to no other whatever a code says.
    return typeof bootstrapToken === "string" ? { kind: "code", secret: bootstrapToken, scopes: ALL } : null;
  } catch {
    return null;
  }
}

/** What somebody typed or pasted: a pairing code, a link with either in it, or a token.
 * @param {string} text
 * @returns {Credential} */
export function entered(text) {
  const trimmed = text.trim();
  const shown = trimmed.includes("#") ? ofFragment(trimmed.slice(trimmed.indexOf("#"))) : null;
  return shown ?? byCode(trimmed) ?? byToken(trimmed);
}

/** The credential in the fragment of an address, which no server sees: `#token=` or `#code=`.
 * @param {string} fragment
 * @returns {Credential | null} */
export function ofFragment(fragment) {
  const said = new URLSearchParams(fragment.replace(/^#/, ""));
  const token = said.get("token");
  if (token) return byToken(token);
  const code = said.get("code");
  return code ? byCode(code) : null;
}

/** Takes the credential out of the page's own address, before anything else can read it there. */
export function takeFragment() {
  const found = ofFragment(location.hash);
  if (location.hash) history.replaceState(history.state, "", location.pathname + location.search);
  return found;
}

/** What was kept at the last visit. @returns {Promise<Credential | null>} */
export async function kept() {
  try {
    const login = await take("login", ME);
    if (login) return { kind: "device", secret: login.deviceToken, scopes: login.scopes };
  } catch {
    // A browser that keeps nothing: every visit is the first.
  }
  const token = sessionStorage.getItem(TAB);
  return token ? byToken(token) : null;
}

/** Keeps what the next visit needs.
 * @param {Credential} used
 * @param {{ deviceToken?: string, scopes: string[] }} granted
 * @returns {Promise<Credential>} with what to come back */
export async function remember(used, { deviceToken, scopes }) {
  if (!deviceToken) {
    if (used.kind === "token") sessionStorage.setItem(TAB, used.secret);
    return used;
  }
  await keep("login", ME, { deviceToken, scopes }).catch(() => undefined);
  return { kind: "device", secret: deviceToken, scopes };
}

/** Forgets it. */
export async function forget() {
  sessionStorage.removeItem(TAB);
  await drop("login", ME).catch(() => undefined);
}
