// Session keys, as far as the page makes any.

import { state } from "../store/state.js";

/** The session that an agent has for everything. @param {string} [agent] */
export const mainKey = (agent = state.defaultAgent) => `agent:${agent}:main`;

/** What an agent is called. @param {string} id */
export function agentName(id) {
  const agent = state.agents.find((agent) => agent.id === id);
  return agent?.identity?.name || agent?.name || (id === "main" || !id ? "Assistant" : id);
}

/** The sign of an agent. @param {string} id */
export function agentSign(id) {
  return state.agents.find((agent) => agent.id === id)?.identity?.emoji ?? "";
}
