// The figures of the page: node measure.mjs prints them. They are those of this machine and of what else it does; tests ask for none of them.

import { closeAll, Screen } from "./browser.mjs";
import { Setup } from "./gateway.mjs";

const TOKENS = 2_000;
const ROWS = Number(process.env.ROWS ?? 2_000);
const SESSIONS = Number(process.env.SESSIONS ?? 1_000);

/** Times between frames while something is done, milliseconds. */
async function frames(screen, during) {
  await screen.page.evaluate(() => {
    globalThis.gaps = [];
    let last = performance.now();
    const step = (now) => {
      globalThis.gaps.push(now - last);
      last = now;
      globalThis.ticking = requestAnimationFrame(step);
    };
    globalThis.ticking = requestAnimationFrame(step);
  });
  await during();
  const gaps = await screen.page.evaluate(() => {
    cancelAnimationFrame(globalThis.ticking);
    return globalThis.gaps;
  });
  gaps.sort((a, b) => a - b);
  const at = (share) => Math.round(gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * share))] * 10) / 10;
  return { frames: gaps.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), longest: at(1) };
}

/** How long from a frame on the socket to the text on the screen. */
const LATENCY = () => {
  globalThis.waits = [];
  const Native = globalThis.WebSocket;
  globalThis.WebSocket = class extends Native {
    set onmessage(listener) {
      super.onmessage = (event) => {
        const isDelta = event.data.includes('"deltaText":"');
        const at = performance.now();
        listener(event);
        if (isDelta) requestAnimationFrame(() => setTimeout(() => globalThis.waits.push(performance.now() - at)));
      };
    }
  };
};

const setup = await Setup.start();
const words = (count) => Array.from({ length: count }, (_, at) => `word${at}`).join(" ");
try {
  const screen = await Screen.open(setup.origin);
  await screen.page.addInitScript(LATENCY);
  const { key } = await setup.call("sessions.create", { displayName: "flood" });
  await screen.signIn(setup.token, `/chat/${encodeURIComponent(key)}`);
  const text = words(TOKENS);
  const flood = await frames(screen, async () => {
    await screen.say(setup.text("flood", { text, piece: 7, delay: 2 }));
    await screen.shows(`word${TOKENS - 1}`);
  });
  console.log(`${TOKENS} tokens, times between frames in ms:`, flood);
  const waits = await screen.page.evaluate(() => globalThis.waits.sort((a, b) => a - b));
  console.log("from the socket to the screen, ms:", {
    p50: waits[Math.floor(waits.length / 2)],
    p95: waits[Math.floor(waits.length * 0.95)],
    count: waits.length,
  });

  for (let at = 0; at < ROWS; at += 1) await setup.call("chat.inject", { sessionKey: key, message: `Row ${at} with **some** words and \`code\`` });
  for (let at = 0; at < SESSIONS; at += 1) await setup.call("sessions.create", { displayName: `Session ${at}` });
  await screen.page.reload();
  await screen.shows(`Row ${ROWS - 1}`);
  const scroll = await frames(screen, async () => {
    for (let turn = 0; turn < 120; turn += 1) {
      await screen.page.locator(".scroller").evaluate((node) => node.scrollBy(0, -1_500));
      await screen.page.waitForTimeout(50);
    }
  });
  console.log(`up through ${await screen.page.locator(".item").count()} of ${ROWS} rows:`, scroll);
  for (let page = 1; page * 100 < SESSIONS; page += 1) {
    await screen.press("Show older ones");
    await screen.page.waitForTimeout(150);
  }
  const list = await frames(screen, async () => {
    for (let turn = 0; turn < 60; turn += 1) {
      await screen.page.locator(".side .scroll").evaluate((node) => node.scrollBy(0, 1_000));
      await screen.page.waitForTimeout(30);
    }
  });
  console.log(`through ${await screen.page.locator(".sessions li").count()} sessions:`, list);
  await screen.close();
} finally {
  await closeAll();
  await setup.stop();
}
