// The table of both gateways: on the terminal, and in docs/compatibility.md.

import { readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";

import { knownDifference, reasonOfTheirs } from "./differences.mjs";
import { version } from "./openclaw.mjs";

const DOCUMENT = new URL("../../../docs/compatibility.md", import.meta.url);
const BEGIN = "<!-- clients: begin; written by `make conformance WRITE=1` -->";
const END = "<!-- clients: end -->";

const suites = (reports) => [...new Set(reports.flatMap((report) => report.checks.map((check) => check.suite)))];
const passed = (report, suite) => {
  const own = report.checks.filter((check) => check.suite === suite);
  return own.length === 0 ? "-" : `${own.filter((check) => check.ok).length} of ${own.length}`;
};

export function summary(reports) {
  const rows = suites(reports).map((suite) => [suite, ...reports.map((report) => passed(report, suite))]);
  const table = [["client", ...reports.map((report) => report.target)], ...rows];
  const width = (column) => Math.max(...table.map((row) => row[column].length));
  return `\n${table.map((row) => row.map((cell, column) => cell.padEnd(width(column))).join("  ")).join("\n")}\n`;
}

const cell = (text) => text.replace(/\|/g, "\\|").replace(/</g, "&lt;").replace(/\n/g, " ");
const rowsOf = (rows) => rows.map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");

/** Milliseconds with as many digits as mean something. */
const time = (ms) => (ms === undefined ? "-" : ms < 10 ? ms.toFixed(1) : String(Math.round(ms)));

function section(reports) {
  const of = (target) => reports.find((report) => report.target === target);
  const [ours, theirs] = [of("gatehouse"), of("openclaw")];
  const counterpart = (check) => theirs?.checks.find((other) => other.suite === check.suite && other.name === check.name);
  const failing = ours.checks.filter((check) => !check.ok);
  const only = theirs?.checks.filter((check) => !check.ok && ours.checks.some((own) => own.ok && own.suite === check.suite && own.name === check.name)) ?? [];
  const measured = ours.checks.filter((check) => check.ok && /\((time|median)/.test(check.name));
  return [
    `The clients of OpenClaw ${version}, unchanged, against both gateways with the same model provider. \`make conformance\` does it anew; the`,
    `page runs in a headless Chromium, the terminal in tmux. Measured on ${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores.`,
    "",
    "| client | Gatehouse | OpenClaw |",
    "| --- | ---: | ---: |",
    rowsOf(suites(reports).map((suite) => [suite, passed(ours, suite), theirs ? passed(theirs, suite) : "-"])),
    "",
    "### Where they differ",
    "",
    failing.length + only.length === 0 ? "Nowhere." : "| what | Gatehouse | OpenClaw | why |\n| --- | --- | --- | --- |",
    rowsOf([
      ...failing.map((check) => [`${check.suite}: ${check.name}`, check.detail.slice(0, 120), counterpart(check)?.ok ? "ok" : "fails as well", knownDifference(check.suite, check.name) ?? "not done yet"]),
      ...only.map((check) => [`${check.suite}: ${check.name}`, "ok", check.detail.slice(0, 120), reasonOfTheirs(check.suite, check.name)]),
    ]),
    "",
    "### How long it takes",
    "",
    "| what | Gatehouse | OpenClaw |",
    "| --- | ---: | ---: |",
    rowsOf(measured.map((check) => [`${check.suite}: ${check.name}, ms`, time(check.ms), time(counterpart(check)?.ms)])),
    "",
    "### Frames beside the published schema",
    "",
    rowsOf([["gateway", "frames and payloads looked at", "kinds that do not fit"], ["---", "---:", "---"], ...reports.filter((report) => report.frames).map((report) => [report.target, String(report.frames.looked), kinds(report)])]),
  ].join("\n");
}

const kinds = ({ frames }) => frames.misfits.map(({ kind, problem }) => `${kind}: ${problem}`).join("; ") || "none";

/** Writes the section between its markers; the rest of the document belongs to others. */
export async function document(reports) {
  const text = await readFile(DOCUMENT, "utf8").catch(() => "# Compatibility with OpenClaw\n");
  const written = `${BEGIN}\n\n${section(reports)}\n\n${END}`;
  const at = text.indexOf(BEGIN);
  const whole = at < 0 ? `${text.trimEnd()}\n\n## Clients\n\n${written}\n` : text.slice(0, at) + written + text.slice(text.indexOf(END) + END.length);
  await writeFile(DOCUMENT, whole);
}
