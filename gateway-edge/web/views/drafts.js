// What somebody has begun to write, by session. It is kept in the browser, so that a reload in mid-sentence loses no word.

const PREFIX = "gatehouse.draft.";

/** Longer drafts are not kept: the browser's room for small things is five megabytes. */
const KEPT_MAX = 100_000;

/** @param {string} key */
export function draftOf(key) {
  try {
    return localStorage.getItem(PREFIX + key) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} key @param {string} text */
export function keepDraft(key, text) {
  try {
    if (text && text.length <= KEPT_MAX) localStorage.setItem(PREFIX + key, text);
    else localStorage.removeItem(PREFIX + key);
  } catch {
    // A browser that keeps nothing, or has no room left: the draft lives as long as the page.
  }
}
