// Requests that the clients were seen to send, and what was answered: each must be answered, in the same shape. Names and types of
// fields are compared, not values.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { connect } from "./library.mjs";

const recorded = JSON.parse(readFileSync(new URL("../fixtures/requests.json", import.meta.url), "utf8"));

/** Where `came` lacks what `wanted` has, or has it of another type. More than wanted is fine, and so is null for something optional. */
export function lacks(wanted, came, path = "") {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(came)) return [`${path || "/"} should be a list`];
    return wanted.length === 0 ? [] : came.slice(0, 5).flatMap((item) => lacks(wanted[0], item, `${path}/*`));
  }
  if (typeof wanted === "object") {
    if (typeof came !== "object" || came === null || Array.isArray(came)) return [`${path || "/"} should be an object`];
    return Object.entries(wanted).flatMap(([name, inner]) => {
      const optional = name.endsWith("?");
      const field = optional ? name.slice(0, -1) : name;
      if (came[field] === undefined) return optional ? [] : [`${path}/${field} is missing`];
      return lacks(inner, came[field], `${path}/${field}`);
    });
  }
  return wanted.split("|").includes(came === null ? "null" : typeof came) ? [] : [`${path} is ${came === null ? "null" : typeof came}, not ${wanted}`];
}

export async function replay(report, { recorder, token }) {
  const own = await connect(recorder.url, { token });
  try {
    await own.ended(await own.send("agent:main:main", "something to show [[fake tokens=3]]"));
    for (const { client, method, params, mayBeAbsent, shape: wanted } of recorded) {
      await report.check("recorded requests", `${client}: ${method} ${JSON.stringify(params)}`, async () => {
        const offered = own.hello.features.methods.includes(method);
        const answer = own.client.request(method, params, { timeoutMs: 30_000 });
        // A feature that a gateway does not have is no fault, as long as it says so in the words by which clients know.
        if (mayBeAbsent && !offered) return assert.rejects(answer, { message: `unknown method: ${method}` });
        const problems = lacks(wanted, await answer);
        if (problems.length > 0) throw new Error([...new Set(problems)].slice(0, 6).join("; "));
      });
    }
  } finally {
    await own.stop();
  }
}
