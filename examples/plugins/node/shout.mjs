// A plugin in Node: it takes `models.list` over, calls the original by its own credential, and changes the answer.
//
// It needs `npm install`, and shout.pb, which `gatehouse plugins compile shout.proto` makes: Node's reflection would drop the options, so
// the plugin answers Describe with them. `gatehouse up` starts it and tells it the rest by its environment.

import { readFileSync } from "node:fs";

import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const DESCRIPTORS = readFileSync(new URL("shout.pb", import.meta.url));
const contract = grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(DESCRIPTORS, { keepCase: true }));

const token = () => readFileSync(process.env.GATEHOUSE_TOKEN_FILE, "utf8").trim();

/** Calls a method of the gateway, as this plugin. What it has taken over is the original for it. */
async function call(method, params) {
  const url = process.env.GATEHOUSE_URL.replace(/^ws/, "http");
  const answer = await fetch(`${url}/rpc/${method}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token()}` },
    body: JSON.stringify(params),
  });
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error.message), { code: grpc.status.UNAVAILABLE });
  return body;
}

/** A handler of one request and one answer from an async function. */
const unary = (behaviour) => (request, reply) =>
  behaviour(request.request).then(
    (answer) => reply(null, answer),
    (error) => reply({ code: error.code ?? grpc.status.INTERNAL, message: error.message }),
  );

const server = new grpc.Server();

server.addService(contract.gatehouse.plugin.v1.ManifestService.service, {
  Describe: unary(async () => ({ title: "Shout", version: "1.0.0", file_descriptor_set: DESCRIPTORS })),
  Configure: unary(async () => ({})),
});

server.addService(contract.shout.v1.Shout.service, {
  ListModels: unary(async ({ agent_id }) => {
    const original = await call("models.list", agent_id ? { agentId: agent_id } : {});
    const models = original.models.map((model) => ({ ...model, name: (model.name ?? model.id).toUpperCase() }));
    return { payload: JSON.stringify({ ...original, models }) };
  }),
});

server.bindAsync(process.env.GATEHOUSE_PLUGIN_LISTEN, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log(`listening at ${process.env.GATEHOUSE_PLUGIN_LISTEN}`);
});

process.on("SIGTERM", () => server.tryShutdown(() => process.exit(0)));
