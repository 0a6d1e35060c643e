// All that the page knows, in one place. Views read it and are told when a part of it changed; only the functions of store/ write it.

/** @typedef {import("../protocol/connection.js").Condition} Condition */
/** @typedef {import("../protocol/types.js").SessionRow} SessionRow */
/** @typedef {import("./runs.js").Run} Run */
/** @typedef {import("./conversations.js").Conversation} Conversation */
/** @typedef {import("../protocol/outbox.js").Item} Item */
/** @typedef {"condition" | "place" | "sessions" | "conversation" | "runs" | "outbox" | "catalog" | "requests" | "health" | "schedules"} Part */

export const state = {
  /** @type {Condition} how the connection is */
  condition: { state: "stopped" },
  /** @type {import("../protocol/types.js").Hello | null} the last greeting of the gateway */
  hello: null,
  /** Whether somebody is signed in, also while the gateway is away. */
  signedIn: false,
  /** @type {string | null} the id of this browser's device; null where it can be none */
  deviceId: null,
  /** @type {string[]} where in the page we are */
  place: [],

  /** @type {Map<string, SessionRow>} */
  sessions: new Map(),
  sessionsLoaded: false,
  /** How many there are beside those that were read. */
  sessionsMore: 0,
  /** @type {Map<string, Conversation>} those that were opened */
  conversations: new Map(),
  /** @type {Map<string, Run>} all that runs now, in whatever session */
  runs: new Map(),
  /** @type {Item[]} */
  outbox: [],

  /** @type {import("../protocol/types.js").Agent[]} */
  agents: [],
  defaultAgent: "main",
  /** @type {import("../protocol/types.js").Model[]} */
  models: [],
  /** @type {import("../protocol/types.js").Command[]} */
  commands: [],
  /** How many wait for a decision: devices, nodes, senders. */
  requests: 0,
  /** @type {any} the last word about the services */
  health: null,
};

/** Whether this browser may call a method: the gateway names those, and no others, when it greets.
 * @param {string} method */
export function may(method) {
  return state.hello?.features.methods.includes(method) ?? false;
}

/** @type {Map<Part, Set<() => void>>} */
const watchers = new Map();
/** @type {Set<Part>} */
const touched = new Set();

/** Says that parts of the state are other than before. Whoever watches one is told once, when what is going on has ended.
 * @param {...Part} parts */
export function changed(...parts) {
  if (touched.size === 0) queueMicrotask(tell);
  for (const part of parts) touched.add(part);
}

function tell() {
  const parts = [...touched];
  touched.clear();
  const due = new Set(parts.flatMap((part) => [...(watchers.get(part) ?? [])]));
  for (const watcher of due) watcher();
}

/** Calls `watcher` now, and whenever one of the parts changed. Returns how to end that.
 * @param {Part[]} parts
 * @param {() => void} watcher */
export function watch(parts, watcher) {
  for (const part of parts) {
    const all = watchers.get(part) ?? new Set();
    watchers.set(part, all.add(watcher));
  }
  watcher();
  return () => {
    for (const part of parts) watchers.get(part)?.delete(watcher);
  };
}
