// `make bench-peers`: this gateway and OpenClaw's, one after the other on the same machine, with the same model and the same client.

import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";

import { isInstalled, version } from "../kit/openclaw.mjs";
import { Provider } from "../kit/provider.mjs";
import { peer } from "./peers.mjs";
import { FULL, measure, SMALL } from "./rows.mjs";

const { values: asked } = parseArgs({
  options: {
    targets: { type: "string", default: "gatehouse,openclaw" },
    // A minute or two: whether every row can be measured. Its figures mean nothing and are not written.
    small: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
const DOCUMENT = new URL("../../../docs/benchmarks.md", import.meta.url);
const RAW = new URL("../../../docs/benchmarks-openclaw.json", import.meta.url);
const BEGIN = "<!-- beside OpenClaw: begin; written by `make bench-peers WRITE=1` -->";
const END = "<!-- beside OpenClaw: end -->";

/** Higher is better where something is counted a second; else lower. */
const ratio = ({ unit, gatehouse, openclaw }) => (gatehouse && openclaw ? (unit === "a second" ? gatehouse / openclaw : openclaw / gatehouse) : undefined);
const number = (value) => (value === undefined ? "-" : value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString("en"));

function table(figures) {
  const cells = figures.map((figure) => [figure.name, `${number(figure.gatehouse)} ${figure.unit}`, `${number(figure.openclaw)} ${figure.unit}`, ratio(figure) ? `${number(ratio(figure))} x` : "-"]);
  return ["| figure | Gatehouse | OpenClaw | ahead by |", "| --- | ---: | ---: | ---: |", ...cells.map((row) => `| ${row.join(" | ")} |`)].join("\n");
}

async function write(figures, about) {
  await writeFile(RAW, `${JSON.stringify({ ...about, figures }, null, 2)}\n`);
  const text = await readFile(DOCUMENT, "utf8");
  const section = [
    BEGIN,
    "",
    `OpenClaw ${about.openclaw} from npm, both with their defaults and the same model provider in the same run: ${about.cores} cores, ${about.date},`,
    `load ${about.load} at its beginning. The client is written in JavaScript and runs on the same machine; its own share, some 0.1 ms a call, is in`,
    "every figure. Where both pace text on purpose the pace decides, not the machine. Raw figures: [benchmarks-openclaw.json](benchmarks-openclaw.json).",
    "",
    table(figures),
    "",
    END,
  ].join("\n");
  const at = text.indexOf(BEGIN);
  const whole = at < 0 ? `${text.trimEnd()}\n\n## Beside OpenClaw\n\n${section}\n` : text.slice(0, at) + section + text.slice(text.indexOf(END) + END.length);
  await writeFile(DOCUMENT, whole);
}

if (asked.small && asked.write) throw new Error("what a small run measures is not written: leave WRITE=1 or --small out");
if (!isInstalled) throw new Error("OpenClaw is not installed: deploy/prerequisites.sh test does it");
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: new URL(".", import.meta.url), encoding: "utf8" }).trim();
const about = { date: new Date().toISOString().slice(0, 10), commit, openclaw: version, cores: cpus().length, processor: cpus()[0].model, load: loadavg()[0].toFixed(1) };
const figures = [];
const failed = [];
const provider = await Provider.start();
for (const name of asked.targets.split(",")) {
  console.log(`== ${name}`);
  const target = await peer(name, provider);
  try {
    const add = (figure, unit, value) => {
      console.log(`   ${name}: ${figure}: ${number(value)} ${unit}`);
      let row = figures.find((known) => known.name === figure);
      if (!row) figures.push((row = { name: figure, unit }));
      row[name] = value;
    };
    const rows = await measure(target, provider, add, asked.small ? SMALL : FULL);
    failed.push(...rows.map((row) => `${name}: ${row}`));
  } finally {
    await target.stop();
  }
}
await provider.stop();
console.log(`\n${table(figures)}\n`);
const results = new URL("../results/", import.meta.url);
await mkdir(results, { recursive: true });
await writeFile(new URL("peers.json", results), JSON.stringify({ ...about, figures }, null, 1));
if (asked.write) await write(figures, about);
if (failed.length > 0) console.log(`without figures: ${failed.join(", ")}`);
process.exit(failed.length > 0 ? 1 : 0);
