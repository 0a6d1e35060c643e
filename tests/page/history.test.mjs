// A long conversation: what is far from the screen leaves the document and comes back, and nobody who reads, selects or scrolls notices.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { closeAll, isHere, Screen } from "./browser.mjs";
import { Setup } from "./gateway.mjs";

const chromium = { skip: isHere ? false : "Chromium is not here" };
const ROWS = 260;

/** @type {Setup} */
let setup;
before(async () => {
  if (isHere) setup = await Setup.start();
});
after(async () => {
  await closeAll();
  await setup?.stop();
});

const items = (screen) => screen.page.evaluate(() => document.getElementsByClassName("item").length);
const emptied = (screen) => screen.page.waitForFunction(() => [...document.querySelectorAll(".chunk")].some((chunk) => !chunk.firstElementChild));

/** Goes to a share of the whole height, and waits until rows stand there. */
async function goTo(screen, share) {
  await screen.page.evaluate((at) => {
    const scroller = document.querySelector(".scroller");
    scroller.scrollTop = at * scroller.scrollHeight;
  }, share);
  await screen.page.waitForFunction(() => {
    const { left, top, width, height } = document.querySelector(".scroller").getBoundingClientRect();
    return document.elementFromPoint(left + width / 2, top + height / 2)?.closest(".item");
  });
}

test("a long conversation is in the document only around the screen, and whole for whoever scrolls", chromium, async () => {
  const { key } = await setup.call("sessions.create", { displayName: "long" });
  // Some 900 pixels each.
  const lines = Array.from({ length: 40 }, (_, at) => `line ${at}`).join("\n");
  for (let at = 0; at < ROWS; at += 1) await setup.call("chat.inject", { sessionKey: key, message: `Row ${at} is long\n\n\`\`\`\n${lines}\n\`\`\`` });
  const screen = await Screen.open(setup.origin);
  await screen.signIn(setup.token, `/chat/${encodeURIComponent(key)}`);
  await screen.shows(`Row ${ROWS - 1} is long`);

  // To the first row, page by page.
  await screen.page.waitForFunction(() => {
    document.querySelector(".scroller").scrollTop = 0;
    return [...document.querySelectorAll(".item")].some((item) => item.textContent.includes("Row 0 is long"));
  });
  await emptied(screen);
  assert.ok((await items(screen)) < ROWS, "those in between have left the document");
  const height = () => screen.page.evaluate(() => document.querySelector(".scroller").scrollHeight);
  const before = await height();

  await goTo(screen, 0.5);
  const chosen = await screen.page.evaluate(() => {
    const { left, top, width, height } = document.querySelector(".scroller").getBoundingClientRect();
    const item = document.elementFromPoint(left + width / 2, top + height / 2).closest(".item");
    document.getSelection().selectAllChildren(item);
    return document.getSelection().toString();
  });
  await goTo(screen, 0);
  await emptied(screen);
  assert.equal(await screen.page.evaluate(() => document.getSelection().toString()), chosen, "what is selected stays");

  await goTo(screen, 1);
  await screen.shows(`Row ${ROWS - 1} is long`);
  const gone = Math.abs((await height()) - before);
  assert.ok(gone < before / 100, `the height is as it was: ${before}, and ${gone} other`);
  await screen.close();
});
