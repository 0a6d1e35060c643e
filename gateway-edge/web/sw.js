// The service worker: keeps the page's own files, so that it opens at once and without a network. It keeps no answer of the gateway.

const CACHE = "gatehouse-shell";
const base = new URL("./", self.location.href);

addEventListener("install", () => self.skipWaiting());
addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== base.origin || !url.pathname.startsWith(base.pathname)) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (url.pathname.includes("/assets/")) event.respondWith(file(request));
});

/** The page itself: the newest there is, and the one that is kept when there is no network. */
async function page(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    const isPage = answer.ok && answer.headers.get("content-type")?.startsWith("text/html");
    if (isPage) {
      await forgetOthers(cache, await answer.clone().text());
      await cache.put(base.href, answer.clone());
    }
    return answer;
  } catch (error) {
    const kept = await cache.match(base.href);
    if (kept) return kept;
    throw error;
  }
}

/** A file that is named by its content: once is enough. */
async function file(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}

/** Files of another version of the page are of no use to anybody. */
async function forgetOthers(cache, text) {
  const version = /\/assets\/([A-Za-z0-9]+)\//.exec(text)?.[1];
  if (!version) return;
  for (const known of await cache.keys()) {
    if (known.url.includes("/assets/") && !known.url.includes(`/assets/${version}/`)) await cache.delete(known);
  }
}
