// Microsoft's own packages judge the tokens with which the plugin for Teams is tested: what opens a bot of theirs opens ours, and what does
// not does not; where they and the plugin differ, tokens.json says why. That the plugin decides as is written there is tested beside it, in
// plugins/msteams/tests/it/judged.rs.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Issuer, table } from "./issuer.mjs";
import { judges } from "./judges.mjs";

describe("Microsoft's packages and the plugin decide alike", { timeout: 60_000 }, () => {
  /** @type {Issuer} */
  let issuer;
  let packages;
  before(async () => {
    issuer = await Issuer.start();
    packages = judges(issuer.origin);
  });
  after(() => issuer.stop());

  for (const row of table.tokens) {
    test(`${row.name}: ${row.taken ? "taken" : "refused"}`, async () => {
      const decided = {};
      for (const [name, takes] of Object.entries(packages)) decided[name] = await takes(issuer.request(row));

      const otherwise = Object.keys(decided).filter((name) => decided[name] !== row.taken);
      assert.deepEqual(otherwise, Object.keys(row.otherwise ?? {}), "the packages that decide otherwise, and those of which tokens.json says so");
      assert.ok(!row.taken || Object.values(decided).includes(true), "what none of Microsoft's packages takes is not taken");
    });
  }
});
