// The figures of the page: node measure.mjs prints them. They are those of this machine and of what else it does; tests ask for none of them.

import { closeAll, Screen } from "./browser.mjs";
import { Setup } from "./gateway.mjs";

const TOKENS = 2_000;
const ROWS = Number(process.env.ROWS ?? 10_000);
const SESSIONS = Number(process.env.SESSIONS ?? 1_000);
/** Answers of TOKENS tokens behind which the page's memory is looked at. */
const ANSWERS = Number(process.env.ANSWERS ?? 12);
/** With this, one conversation streams for so many minutes as fast as a model writes, and nothing else is measured. */
const MINUTES = Number(process.env.MINUTES ?? 0);
/** Between two pieces of it, milliseconds. Unless it is said: some fifty tokens a second. */
const PACE = Number(process.env.PACE ?? 20);
/** Calls that are under way at once while rows and sessions are made. */
const TOGETHER = 16;

/** Does something many times. @param {number} count @param {(at: number) => Promise<unknown>} once */
async function many(count, once) {
  for (let at = 0; at < count; at += TOGETHER) {
    await Promise.all(Array.from({ length: Math.min(TOGETHER, count - at) }, (_, each) => once(at + each)));
  }
}

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

/** The page's memory behind a collection, and its elements. */
async function heap(screen) {
  const devtools = await screen.context.newCDPSession(screen.page);
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  await devtools.detach();
  const nodes = await screen.page.evaluate(() => document.querySelectorAll("*").length);
  return { kb: Math.round(usedSize / 1024), nodes };
}

/** Streams into the conversation that is on the screen, and looks at the memory behind each answer. */
async function long(setup, screen, key, text) {
  const began = Date.now();
  const minute = () => Math.round((Date.now() - began) / 6_000) / 10;
  for (let at = 0; minute() < MINUTES; at += 1) {
    const run = `long-${at}`;
    const message = setup.text("long", { text, piece: 7, delay: PACE });
    await setup.call("chat.send", { sessionKey: key, message, idempotencyKey: run });
    // Half a minute at a time: fetch gives up on an answer that lets it wait for five.
    while ((await setup.call("agent.wait", { runId: run, timeoutMs: 30_000 })).status === "timeout");
    console.log(`minute ${minute()}, answer ${at + 1}:`, JSON.stringify(await heap(screen)));
  }
}

const setup = await Setup.start();
const words = (count) => Array.from({ length: count }, (_, at) => `word${at}`).join(" ");
try {
  const screen = await Screen.open(setup.origin);
  if (MINUTES === 0) await screen.page.addInitScript(LATENCY);
  const { key } = await setup.call("sessions.create", { displayName: "flood" });
  await screen.signIn(setup.token, `/chat/${encodeURIComponent(key)}`);
  const text = words(TOKENS);
  if (MINUTES > 0) await long(setup, screen, key, text);
  else await short(screen, key, text);
  await screen.close();
} finally {
  await closeAll();
  await setup.stop();
}

/** Everything but the hour. */
async function short(screen, key, text) {
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

  const { key: other } = await setup.call("sessions.create", { displayName: "elsewhere" });
  const memory = [await heap(screen)];
  for (let at = 0; at < ANSWERS; at += 1) {
    // In a conversation that is not on the screen: what the page shows of it is taken away when it ends.
    const run = `stream-${at}`;
    await setup.call("chat.send", { sessionKey: other, message: setup.text("flood", { text, piece: 7, delay: 1 }), idempotencyKey: run });
    await setup.call("agent.wait", { runId: run, timeoutMs: 120_000 });
    memory.push(await heap(screen));
  }
  console.log(`memory behind each of ${ANSWERS} answers of ${TOKENS} tokens elsewhere:`, memory);

  await many(ROWS, (at) => setup.call("chat.inject", { sessionKey: key, message: `Row ${at} with **some** words and \`code\`` }));
  await many(SESSIONS, (at) => setup.call("sessions.create", { displayName: `Session ${at}` }));
  await screen.page.reload();
  await screen.page.locator(".item").nth(20).waitFor();
  const scroll = await frames(screen, async () => {
    // To the first row: older ones come as long as there are any. Asked of the document itself: a locator goes through all of its elements.
    for (let still = 0; still < 40; ) {
      const isTop = await screen.page.evaluate(() => {
        const node = document.querySelector(".scroller");
        node.scrollBy(0, -1_500);
        return node.scrollTop === 0;
      });
      still = isTop ? still + 1 : 0;
      await screen.page.waitForTimeout(50);
    }
  });
  await screen.shows("Row 0 with");
  console.log(`up through ${ROWS} rows, of which ${await screen.page.locator(".item").count()} stand in the document:`, scroll);
  const older = screen.page.getByRole("button", { name: "Show older ones" });
  for (let page = 0; page < SESSIONS && (await older.isVisible()); page += 1) {
    await older.click();
    await screen.page.waitForTimeout(150);
  }
  const list = await frames(screen, async () => {
    for (let turn = 0; turn < 60; turn += 1) {
      await screen.page.evaluate(() => document.querySelector(".side .scroll").scrollBy(0, 1_000));
      await screen.page.waitForTimeout(30);
    }
  });
  console.log(`through ${await screen.page.locator(".sessions li").count()} sessions:`, list);
}
