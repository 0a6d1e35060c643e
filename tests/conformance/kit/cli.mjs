// OpenClaw's command line against a gateway elsewhere: what people type, its exit code and what is said.

import { said } from "./provider.mjs";

/** A command passes when it ends with 0 and its output has what is asked for. `short` ones are those of `make test`. */
export const commands = [
  { run: "health", says: /\S/, short: true },
  { run: "health --json", json: (value) => value.ok === true, short: true },
  { run: "status", says: /Gateway/, short: true },
  { run: "status --json", json: (value) => value.gateway.reachable && "byAgent" in value.sessions, short: true },
  { run: "status --deep", says: /Gateway/ },
  { run: "status --all", says: /Gateway/ },
  { run: "gateway status", says: /probe: ok/i, short: true },
  { run: "gateway status --json", json: (value) => value.rpc?.ok !== false },
  { run: "gateway probe", says: /Reachable: yes/i, short: true },
  { run: "gateway probe --json", json: (value) => value.ok === true },
  { run: "gateway health", says: /\S/ },
  { run: "gateway health --json", json: (value) => value.ok === true },
  { run: "gateway usage-cost", says: /\S/, short: true },
  { run: "gateway usage-cost --json", json: (value) => typeof value.totals === "object" },
  { run: "gateway stability", says: /\S/ },
  { run: "gateway stability --json", json: (value) => typeof value === "object" },
  { run: "gateway call status", says: /sessions/ },
  { run: "gateway call health", says: /ok/ },
  { run: "gateway call sessions.list", says: /sessions/, short: true },
  { run: "gateway call system-presence", says: /\S/ },
  { run: "gateway call last-heartbeat", says: /\S/ },
  { run: "gateway call node.list", says: /nodes/ },
  { run: "gateway call node.pair.list", says: /pending/ },
  { run: "gateway call device.pair.list", says: /paired/ },
  { run: "gateway call config.get", says: /hash/, short: true },
  { run: "gateway call models.list", says: /fake-1/ },
  { run: "gateway call agents.list", says: /main/ },
  { run: "gateway call commands.list", says: /status/ },
  { run: "gateway call tasks.list", says: /tasks/ },
  { run: "gateway call system.info", says: /hostname/ },
  { run: "gateway call update.status", says: /\S/ },
  { run: "gateway call question.list", says: /questions/ },
  { run: "gateway call chat.history --params", params: { sessionKey: "main", limit: 5 }, says: /messages/ },
  { run: "gateway call no.such.method", fails: /unknown method: no\.such\.method/, short: true },
  { run: "agent --agent main --message", message: "hello [[fake tokens=5]]", says: said(5), short: true },
  { run: "agent --agent main --json --message", message: "hello [[fake tokens=5]]", json: (value) => text(value) === said(5), short: true },
  { run: "agent --session-key agent:main:lab1 --message", message: "hello [[fake tokens=5]]", says: said(5), short: true },
  { run: "agent --to +15555550123 --message", message: "hello [[fake tokens=5]]", says: said(5) },
  { run: "agent --agent main --thinking low --message", message: "hello [[fake tokens=4]]", fails: /thinking/i }, // a model that does not
  { run: "agent --agent nobody --message", message: "hello", fails: /nobody/, short: true },
  { run: "agent --agent main --message", message: "/status", says: /model|session/i, short: true },
  { run: "gateway call sessions.resolve --params", params: { key: "main" }, says: /agent:main:main/, after: true },
  { run: "cron status", says: /\S/ },
  { run: "cron list", says: /\S/ },
  { run: "cron list --json", json: (value) => Array.isArray(value.jobs) },
  { run: "cron add --name lab1 --every 1h --session isolated --message", message: "cron [[fake tokens=3]]", says: /lab1/ },
  { run: "devices list", says: /\S/, short: true },
  { run: "devices list --json", json: (value) => Array.isArray(value.paired) },
  { run: "nodes list", says: /\S/, short: true },
  { run: "nodes list --json", json: (value) => typeof value === "object" },
  { run: "nodes status", says: /\S/ },
  { run: "nodes status --json", json: (value) => Array.isArray(value.nodes) },
  { run: "nodes pending", says: /\S/ },
  { run: "channels list", says: /\S/ },
  { run: "channels status", says: /\S/, short: true },
  { run: "channels status --json", json: (value) => typeof value.channels === "object" },
  { run: "channels status --probe", says: /\S/ },
  { run: "logs --limit 5", says: /\S/, short: true },
  { run: "logs --json --limit 2", says: /"type"/ },
  { run: "models list", says: /fake-1/, short: true },
  { run: "models list --json", json: (value) => JSON.stringify(value).includes("fake-1") },
  { run: "skills list", says: /skill/i, short: true },
  { run: "skills check", says: /skill/i },
  { run: "hooks list", says: /hook/i, short: true },
  { run: "system presence", says: /\S/, short: true },
  { run: "system presence --json", json: (value) => Array.isArray(value) || typeof value === "object" },
  { run: "system heartbeat last", says: /\S/ },
  { run: "system event --mode now --text", message: "an event of the kit", says: /ok/i },
  { run: "message send --channel telegram --target 123 --message", message: "hi", fails: /telegram/i },
  { run: "users list", says: /\S/ },
  { run: "audit", says: /\S/ },
  { run: "dashboard --no-open", says: /http:\/\//, short: true },
  { run: "doctor --non-interactive", says: /\S/ },
  { run: "update status", says: /\S/ },
  { run: "tasks list", says: /\S/ },
];

export const title = ({ run, message, params }) => [run, message && `"${message}"`, params && `'${JSON.stringify(params)}'`].filter(Boolean).join(" ");

const argumentsOf = ({ run, message, params }) => [...run.split(" "), ...(message ? [message] : []), ...(params ? [JSON.stringify(params)] : [])];

const text = (answer) => (answer.result?.payloads ?? answer.payloads ?? []).map((part) => part.text).join("");

/** Throws what was expected and what came. */
export function judge(command, { code, stdout, stderr }) {
  const both = `${stdout}\n${stderr}`;
  const came = `exit ${code}: ${(stderr.trim() || stdout.trim()).slice(-300)}`;
  if (command.fails) {
    if (code === 0 || code === "timeout" || !command.fails.test(both)) throw new Error(`should fail and say ${command.fails}; ${came}`);
    return;
  }
  if (code !== 0) throw new Error(came);
  if (command.json) {
    const value = JSON.parse(stdout.slice(stdout.search(/[[{]/)));
    if (!command.json(value)) throw new Error(`the JSON is not as expected (${command.json}): ${stdout.slice(0, 300)}`);
  } else if (typeof command.says === "string" ? !stdout.includes(command.says) : !command.says.test(stdout)) {
    throw new Error(`does not say ${command.says}: ${stdout.trim().slice(0, 300)}`);
  }
}

const AT_ONCE = 2;

/** All commands, two at a time as the machine has cores; those that say something to the model one after the other. */
export async function cli(report, user, { short = false, seen = () => {} } = {}) {
  const wanted = commands.filter((command) => !short || command.short);
  const one = (command) =>
    report.check("CLI", `openclaw ${title(command)}`, async () => {
      const result = await user.run(argumentsOf(command), { deadlineMs: 90_000 });
      seen(command, result);
      judge(command, result);
      return result.ms;
    });
  const inTurn = (command) => command.after || command.run.startsWith("agent");
  const left = wanted.filter((command) => !inTurn(command));
  await Promise.all(Array.from({ length: AT_ONCE }, async () => { for (let next; (next = left.shift()); ) await one(next); }));
  for (const command of wanted.filter(inTurn)) await one(command);
}
