// The page without a network: its shell is kept by a service worker, and nothing else is. What was said is never kept there.

import { base } from "./base.js";

/** Registers the worker, where the browser has such. */
export function offerShell() {
  // In a copy of the page that is worked on there is nothing to keep, and no name that changes with what is kept.
  if (!("serviceWorker" in navigator) || !import.meta.url.includes("/assets/")) return;
  const address = `${base}/sw.js`;
  navigator.serviceWorker.register(/** @type {string} */ (trusted(address)), { scope: `${base}/` }).catch(() => undefined);
}

/** The one address that this page trusts to be a program. @param {string} address @returns {unknown} */
function trusted(address) {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (!types) return address;
  const policy = types.createPolicy("gatehouse-worker", { createScriptURL: (/** @type {string} */ url) => (url === address ? url : "") });
  return policy.createScriptURL(address);
}
