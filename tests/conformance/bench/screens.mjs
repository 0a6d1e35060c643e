// Many clients that only look, for the flood: each tells when the end of the run came.

import { parentPort, workerData } from "node:worker_threads";

import { now, Wire } from "./wire.mjs";

const { url, token, screens } = workerData;
const DEADLINE_MS = 120_000;

const ends = [];
for (let i = 0; i < screens; i += 1) {
  const wire = await Wire.open(url, { token });
  await wire.request("sessions.subscribe");
  ends.push(new Promise((resolve, reject) => {
    // Only the end is read as JSON. The bytes of all the rest have to arrive all the same.
    wire.socket.removeAllListeners("message");
    wire.socket.on("message", (data) => {
      if (data.includes('"state":"final"') && data.includes("flood")) resolve(now());
    });
    wire.socket.once("close", (code) => reject(new Error(`a client was closed with ${code}`)));
    setTimeout(() => reject(new Error("no end in time")), DEADLINE_MS).unref();
  }));
}
parentPort.postMessage({ ready: true });
const arrivals = await Promise.allSettled(ends);
const lost = arrivals.filter((end) => end.status === "rejected").length;
if (lost > 0) throw new Error(`${lost} of ${screens} clients never saw the end: ${arrivals.find((end) => end.reason).reason.message}`);
parentPort.postMessage({ ended: arrivals.map((end) => end.value) });
