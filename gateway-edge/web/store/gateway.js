// What connects the state to the gateway: who is signed in, what is read when the connection opens, and where each event goes.

import { socketUrl } from "../base.js";
import { Connection } from "../protocol/connection.js";
import { device, forgetDevice } from "../protocol/device.js";
import { forget as forgetLogin, kept, remember } from "../protocol/login.js";
import { Outbox } from "../protocol/outbox.js";
import { Away } from "../protocol/refusal.js";
import { heardRow, read } from "./conversations.js";
import { end, heardAgent, heardChat, snapshot, wordsOf } from "./runs.js";
import { heardChange, readSessions } from "./sessions.js";
import { changed, may, state } from "./state.js";

/** @typedef {import("../protocol/connection.js").Credential} Credential */

/** @type {Connection | undefined} */
let connection;
/** @type {Credential | undefined} */
let credential;
/** The session whose transcript is on the screen. */
let openKey = "";

/** How many sessions that run are asked for the text so far, when the connection opens. */
const RUNS_READ_MAX = 12;

/** Events of which a burst is one reason to read again. */
const SETTLE_MS = 250;

export const outbox = new Outbox(call, () => {
  state.outbox = outbox.items;
  changed("outbox");
});

/** Tells other tabs of this browser that somebody signed in or out. */
const tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel("gatehouse") : null;
if (tabs) tabs.onmessage = ({ data }) => data === "signed-out" && leave();

/** Comes in with what was shown just now, or with what an earlier visit left. Returns whether there is anything to come in with.
 * @param {Credential | null} shown */
export async function enter(shown) {
  credential = shown ?? (await kept()) ?? undefined;
  if (!credential) return false;
  connection?.stop();
  const own = await device();
  state.deviceId = own?.id ?? null;
  state.signedIn = credential.kind === "device";
  connection = new Connection(socketUrl(), own, () => /** @type {Credential} */ (credential), {
    onCondition: heardCondition,
    onEvent: heard,
    onGap: settled(refresh),
  });
  await outbox.load();
  connection.start();
  return true;
}

/** @param {import("../protocol/connection.js").Condition} condition */
async function heardCondition(condition) {
  state.condition = condition;
  if (condition.state === "open") {
    state.hello = condition.hello;
    state.signedIn = true;
    credential = await remember(/** @type {Credential} */ (credential), condition.hello.auth);
    changed("condition", "catalog");
    refresh();
    return;
  }
  if (condition.state === "refused") {
    const { reason } = condition.refused;
    // A token that the gateway no longer knows is of no use to anybody.
    if (credential?.kind === "device" || reason.startsWith("DEVICE_AUTH_")) await forgetLogin();
    state.signedIn = false;
  }
  changed("condition");
}

/** Calls a method. Rejects with `Away` while there is no connection, and with `Refused` when the gateway says no.
 * @param {string} method @param {object} [params] @param {number} [patience] @returns {Promise<any>} */
export function call(method, params, patience) {
  return connection ? connection.request(method, params, patience) : Promise.reject(new Away());
}

/** Dials now, whatever the wait for the next attempt is. */
export const dialNow = () => connection?.again();

/** Reads all that events alone do not say: when the connection opens, and when events were missed. */
async function refresh() {
  outbox.flush();
  const reading = [call("sessions.subscribe").then(() => readSessions(call)), openKey ? read(call, openKey) : null, readCatalog(), readRequests()];
  await Promise.all(reading.map((each) => each?.catch(() => undefined)));
  readRuns();
}

async function readCatalog() {
  const [agents, models, commands] = await Promise.all([call("agents.list"), call("models.list"), call("commands.list")]);
  state.agents = agents.agents ?? [];
  state.defaultAgent = agents.defaultId;
  state.models = models.models ?? [];
  state.commands = commands.commands ?? [];
  changed("catalog");
}

/** How many wait to be let in, for the mark beside the way there. */
async function readRequests() {
  if (!may("device.pair.list")) return;
  const [devices, nodes, senders] = await Promise.all([
    call("device.pair.list"),
    call("node.pair.list"),
    call("channels.pairing.list").catch(() => ({})),
  ]);
  state.requests = (devices.pending?.length ?? 0) + (nodes.pending?.length ?? 0) + (senders.requests?.length ?? 0);
  changed("requests");
}

/** The text so far of what runs elsewhere: events bring only what comes from now on. */
async function readRuns() {
  const running = [...state.sessions.values()].filter((row) => row.hasActiveRun && row.key !== openKey).slice(0, RUNS_READ_MAX);
  for (const row of running) {
    const page = await call("chat.history", { sessionKey: row.key, limit: 1, maxBytes: 4096 }).catch(() => null);
    if (page?.inFlightRun) snapshot(page.inFlightRun, row.key, row.agentId);
  }
}

/** Shows a session: its transcript is read, and kept right from now on. @param {string} key */
export function openSession(key) {
  openKey = key;
  if (connection?.isOpen) read(call, key);
}

/** @param {string} name @param {any} payload */
function heard(name, payload) {
  switch (name) {
    case "chat":
      if (payload.state === "final") tellEnd(payload);
      if (heardChat(payload) && payload.sessionKey === openKey && payload.state !== "final") readEnd();
      return;
    case "agent":
      return heardAgent(payload);
    case "session.message": {
      const sent = payload.message.idempotencyKey;
      if (sent?.endsWith(":user")) outbox.arrived(sent.slice(0, -":user".length));
      return heardRow(payload);
    }
    case "sessions.changed":
      if (payload.reason === "reset" && payload.sessionKey === openKey) readEnd();
      return heardChange(payload);
    case "health":
      state.health = payload;
      return changed("health");
    case "config.changed":
      return readAgain();
    case "cron":
      return schedulesMoved();
    case "device.pair.requested":
    case "device.pair.resolved":
    case "node.pair.requested":
    case "node.pair.resolved":
      return countAgain();
  }
}

/** Says when an answer ended: event `end`. */
export const ends = new EventTarget();

/** @param {any} event payload of `chat` */
function tellEnd({ sessionKey, agentId, message }) {
  const text = wordsOf(message?.content);
  if (text) ends.dispatchEvent(new CustomEvent("end", { detail: { sessionKey, agentId, text } }));
}

/** @param {() => Promise<unknown>} action */
function settled(action) {
  /** @type {number | undefined} */
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(() => action().catch(() => undefined), SETTLE_MS);
  };
}
const readAgain = settled(readCatalog);
const countAgain = settled(readRequests);
const schedulesMoved = settled(async () => changed("schedules"));
const readEnd = settled(() => read(call, openKey));

/** Stops a run, or all of a session. @param {string} sessionKey @param {string} [runId] */
export async function stop(sessionKey, runId) {
  const { runIds } = await call("chat.abort", { sessionKey, ...(runId && { runId }) });
  for (const id of runIds ?? []) end(id);
}

/** Signs out: the gateway forgets this device, and this browser everything. */
export async function signOut() {
  let revoked = false;
  if (state.deviceId) {
    revoked = await call("device.pair.leave").then(
      () => true,
      () => false,
    );
  }
  await Promise.all([forgetLogin(), forgetDevice().catch(() => undefined), outbox.clear()]);
  for (const name of Object.keys(localStorage)) if (name.startsWith("gatehouse.")) localStorage.removeItem(name);
  tabs?.postMessage("signed-out");
  leave();
  return revoked;
}

function leave() {
  connection?.stop();
  connection = undefined;
  credential = undefined;
  state.signedIn = false;
  state.hello = null;
  for (const map of [state.sessions, state.conversations, state.runs]) map.clear();
  state.sessionsLoaded = false;
  changed("condition", "sessions", "conversation", "runs", "outbox");
}
