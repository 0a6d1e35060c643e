// Where the page stands on its origin. The gateway writes it into the page, because a place inside the page (`/chat/...`) does not say it.

/** Empty, or a path without a slash at its end. */
export const base = document.documentElement.getAttribute("data-openclaw-control-ui-base-path") ?? "";

/** The one socket that the page opens: on the origin that it came from. */
export function socketUrl() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return `${scheme}://${location.host}${base}/`;
}

/** The address of a place inside the page, of which the segments may hold anything.
 * @param {string[]} segments */
export function pathOf(...segments) {
  return `${base}/${segments.map(encodeURIComponent).join("/")}`;
}

/** The segments of the address that is shown now. */
export function placeNow() {
  const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : location.pathname;
  return path.split("/").filter(Boolean).map(decoded);
}

/** @param {string} segment */
function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
