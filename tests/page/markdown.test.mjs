// The page's Markdown against the examples of the CommonMark specification, and against texts that are made to hurt.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { toHtml } from "./html.mjs";

const { tests: examples } = createRequire(import.meta.url)("commonmark-spec");

/** Examples that come out otherwise, and why. */
const OTHERWISE = new Map([[25, "names of characters beyond those of HTML 4 are not known: see entities.js"]]);

/** How long a hostile text may take on a loaded machine. What is quadratic takes minutes. */
const HOSTILE_MAX_MS = 3_000;

test("the examples of CommonMark come out as the specification says", () => {
  const tabs = (text) => text.replaceAll("→", "\t");
  const others = examples.filter(({ markdown, html }) => toHtml(tabs(markdown)) !== tabs(html)).map(({ number }) => number);

  assert.equal(examples.length, 652);
  assert.deepEqual(others, [...OTHERWISE.keys()]);
});

test("tables and task lists come out as GitHub has them", () => {
  assert.equal(
    toHtml("| a | b |\n|:--|--:|\n| 1 | `x \\| y` |\n| 2 |\n\nafter"),
    '<table>\n<thead>\n<tr>\n<th align="left">a</th>\n<th align="right">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td align="left">1</td>\n<td align="right"><code>x | y</code></td>\n</tr>\n' +
      '<tr>\n<td align="left">2</td>\n<td align="right"></td>\n</tr>\n</tbody>\n</table>\n<p>after</p>\n',
  );
  assert.equal(toHtml("no table\n---|---|---"), "<p>no table\n---|---|---</p>\n", "a head has as many cells as the line below it");
  assert.equal(toHtml("~~gone~~ and ~about~"), "<p><del>gone</del> and ~about~</p>\n");
});

const HOSTILE = {
  "quotes in each other": "> ".repeat(10_000) + "x",
  "lists in each other": Array.from({ length: 2_000 }, (_, at) => `${"  ".repeat(at)}- x`).join("\n"),
  "brackets that never close": "[".repeat(50_000),
  "brackets that close": "[".repeat(20_000) + "]".repeat(20_000),
  "links that never end": "[a](b ".repeat(10_000),
  "pictures that never end": "![".repeat(30_000),
  "stars that never match": "*a ".repeat(30_000),
  "stars of both kinds": "*a _b ".repeat(15_000),
  "a row of stars": "*".repeat(100_000) + "a" + "*".repeat(100_000),
  "emphasis in each other": "*a **b ".repeat(5_000) + "** *".repeat(5_000),
  "backticks of all lengths": Array.from({ length: 400 }, (_, at) => "`".repeat(at)).join(" x "),
  "tags that never end": "<a b=".repeat(20_000),
  "comments that never end": "<!-- ".repeat(20_000),
  "sections that never end": "<![CDATA[".repeat(20_000),
  "addresses that never end": "<http:".repeat(20_000),
  "titles that never end": '[a]: b "'.repeat(10_000),
  "references to each other": Array.from({ length: 5_000 }, (_, at) => `[a${at}]: b`).join("\n") + "[a0]".repeat(5_000),
  "entities that are none": "&a".repeat(50_000),
  "tables of pipes": "|".repeat(20_000) + "\n" + "|-".repeat(10_000),
  "one line of a megabyte": "word ".repeat(200_000),
  "a megabyte of empty lines": "\n".repeat(1_000_000),
};

for (const [name, text] of Object.entries(HOSTILE)) {
  test(`no text holds the page up: ${name}`, () => {
    const begun = performance.now();
    toHtml(text);
    const took = performance.now() - begun;

    assert.ok(took < HOSTILE_MAX_MS, `${Math.round(took)} ms`);
  });
}
