// What this project says of the published protocol against its schema: the list of parameters (contract/published/parameters.txt), since one
// that is not in it would be dropped in silence, and the methods that are left out (docs/compatibility.md), each with its reason.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
const schema = JSON.parse(read("node_modules/@openclaw/gateway-protocol/protocol.schema.json"));
const list = new Map(
  read("../../contract/published/parameters.txt")
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .map(([place, ...names]) => [place, new Set(names)]),
);

/** Objects within objects that are looked into: deeper than any in the schema. */
const DEPTH = 8;

/** A schema in all its forms: what it refers to, and each of its alternatives. */
function forms(part, seen = new Set()) {
  if (typeof part !== "object" || part === null) return [];
  if (part.$ref) {
    const name = part.$ref.split("/").pop();
    return seen.has(name) ? [] : forms(schema.definitions[name], new Set([...seen, name]));
  }
  const others = [...(part.anyOf ?? []), ...(part.oneOf ?? []), ...(part.allOf ?? [])];
  return [part, ...others.flatMap((other) => forms(other, seen))];
}

/** Each parameter of a schema with the place where it is: `method` or `method/object/object`. */
function* parameters(place, part, depth = 0) {
  if (depth > DEPTH) return;
  for (const form of forms(part)) {
    if (form.items) yield* parameters(place, form.items, depth + 1);
    for (const [name, below] of Object.entries(form.properties ?? {})) {
      yield [place, name];
      yield* parameters(`${place}/${name}`, below, depth + 1);
    }
  }
}

const definition = (method) => `${method.split(/[.-]/).map((word) => word[0].toUpperCase() + word.slice(1)).join("")}Params`;

test("the list of published parameters has every one of the published schema, whatever object it is in", () => {
  const missing = new Set();
  let known = 0;
  for (const method of Object.keys(schema.methods)) {
    for (const [place, name] of parameters(method, schema.definitions[definition(method)])) {
      if (list.get(place)?.has(name)) known += 1;
      else missing.add(`${place} ${name}`);
    }
  }

  assert.deepEqual([...missing].slice(0, 20), [], "add them to contract/published/parameters.txt");
  assert.ok(known > 1_000, `${known} parameters were looked at`);
});

test("every method of the published protocol is served, or named with the reason why it is not", () => {
  const served = new Set([...read("../../docs/methods.md").matchAll(/^### `([^` ]+)`$/gm)].map(([, name]) => name));
  const rows = read("../../docs/compatibility.md").split("## Methods that are left out")[1].split("\n## ")[0];
  const named = rows.split("\n").flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  const is = (method) => (name) => (name.endsWith("*") ? method.startsWith(name.slice(0, -1)) : method === name);
  const methods = Object.keys(schema.methods).filter((method) => method !== "connect");

  const silent = methods.filter((method) => !served.has(method) && !named.some(is(method)));
  assert.deepEqual(silent, [], "serve them, or say in docs/compatibility.md why they are left out");
  assert.ok(served.size > 100, `${served.size} methods are served`);
});
