// Which place of the page is shown. Places are paths, so that a link to a session works and a reload stays where it was.

import { pathOf, placeNow } from "./base.js";
import { changed, state } from "./store/state.js";

/** Follows the browser's own way through the page. */
export function follow() {
  const look = () => {
    state.place = placeNow();
    changed("place");
  };
  addEventListener("popstate", look);
  look();
}

/** Goes to a place. @param {...string} segments */
export function go(...segments) {
  const path = pathOf(...segments);
  if (path !== location.pathname) history.pushState(null, "", path);
  state.place = segments;
  changed("place");
}

/** Attributes of a link to a place inside the page. @param {...string} segments */
export function to(...segments) {
  return {
    href: pathOf(...segments),
    onClick: (/** @type {MouseEvent} */ event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      go(...segments);
    },
  };
}
