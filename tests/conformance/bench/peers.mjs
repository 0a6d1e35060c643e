// The two gateways as the comparison starts, stops and fills them.

import { randomUUID } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";

import { start } from "../kit/targets.mjs";
import { Wire } from "./wire.mjs";

const AT_ONCE = 32;

export async function peer(name, provider) {
  const target = await start(name, provider, { sessions: 20_000 });
  return name === "gatehouse" ? new Ours(target) : new Theirs(target);
}

class Peer {
  filled = 0;

  constructor(target) {
    this.target = target;
  }

  get name() {
    return this.target.name;
  }

  get url() {
    return this.target.url;
  }

  get token() {
    return this.target.token;
  }

  get pid() {
    return this.target.pid;
  }

  begin() {
    return this.target.begin();
  }

  end() {
    return this.target.end();
  }

  stop() {
    return this.target.stop();
  }

  /** Makes sessions by calls, as clients do. */
  async create(count) {
    const wire = await Wire.open(this.url, this);
    const worker = async () => {
      while (this.filled < count) {
        this.filled += 1;
        await wire.request("sessions.create", { key: `agent:main:seed-${this.filled}`, agentId: "main" });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    await wire.close();
  }
}

class Ours extends Peer {
  seed(count) {
    return this.create(count);
  }
}

/** OpenClaw takes some 20 ms for a session, and longer the more there are: for many its rows are copied in its database while it is stopped. */
class Theirs extends Peer {
  async seed(count) {
    // Once only: a database that was filled and started is not taken a second time.
    if (count <= 1_000) return this.create(count);
    await this.end();
    const database = new DatabaseSync(join(this.target.home, ".openclaw/agents/main/agent/openclaw-agent.sqlite"));
    database.exec("BEGIN");
    this.pattern ??= readPattern(database);
    while (this.filled < count) {
      this.filled += 1;
      const [key, id] = [`agent:main:seed-${this.filled}`, randomUUID()];
      for (const [table, rows] of Object.entries(this.pattern.rows)) {
        for (const row of rows) {
          // The key and the id stand in columns and in JSON alike: both are texts that nothing else has.
          const anew = (value) => (typeof value === "string" ? value.replaceAll(this.pattern.key, key).replaceAll(this.pattern.id, id) : value);
          const names = Object.keys(row);
          const statement = `INSERT INTO ${table} (${names.map((name) => `"${name}"`)}) VALUES (${names.map(() => "?")})`;
          database.prepare(statement).run(...Object.values(row).map(anew));
        }
      }
    }
    database.exec("COMMIT");
    database.close();
    await this.begin();
  }
}

/** All rows of one session that was made by a call. */
function readPattern(database) {
  const key = "agent:main:seed-1";
  const { id } = database.prepare("SELECT current_session_id AS id FROM session_nodes WHERE session_key = ?").get(key);
  const of = (table, column, value) => database.prepare(`SELECT * FROM ${table} WHERE ${column} = ?`).all(value);
  const byId = ["session_windows", "session_transcript_index_state", "transcript_rewrite_watermarks", "transcript_events"];
  return { key, id, rows: { session_nodes: of("session_nodes", "session_key", key), ...Object.fromEntries(byId.map((table) => [table, of(table, "session_id", id)])) } };
}
