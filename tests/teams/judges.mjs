// Microsoft's packages that look at the token of a request to a bot, each as it is used by a bot, with a stand-in in the place of
// Microsoft's servers.

import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";

import { app, friend, tenant } from "./issuer.mjs";

const load = createRequire(import.meta.url);

const nothing = () => {};
const quiet = { log: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => quiet };

/** Asks a middleware as the web frameworks do. */
async function passes(middleware, { authorization, activity }) {
  let passed = false;
  const response = { status: () => response, send: nothing };
  const headers = authorization === "" ? {} : { authorization };
  await middleware({ method: "POST", headers, body: activity }, response, () => (passed = true));
  return passed;
}

/** The Bot Framework's SDK, which most bots of Teams were made with. */
function botFramework(origin) {
  const {
    allowedCallersClaimsValidator,
    AuthenticationConfiguration,
    BotFrameworkAuthenticationFactory,
    EmulatorValidation,
    PasswordServiceClientCredentialFactory,
  } = load("botframework-connector");
  // It knows the issuers of a tenant by Microsoft's addresses alone: those of the bot's tenant are named here, one of them at the stand-in.
  const { issuer } = EmulatorValidation.ToBotFromEmulatorTokenValidationParameters;
  issuer.push(`https://sts.windows.net/${tenant}/`, `${origin}/${tenant}/v2.0`);
  const authentication = BotFrameworkAuthenticationFactory.create(
    "",
    true,
    `${origin}/${tenant}`,
    "https://api.botframework.com",
    "https://api.botframework.com",
    `${origin}/oauth`,
    `${origin}/v1/.well-known/openidconfiguration`,
    `${origin}/common/v2.0/.well-known/openid-configuration`,
    "urn:botframework:azure",
    new PasswordServiceClientCredentialFactory(app, "secret", tenant),
    new AuthenticationConfiguration([], allowedCallersClaimsValidator([friend])),
  );
  return async ({ authorization, activity }) => {
    const said = console.error;
    console.error = nothing; // it tells of each token that it refuses
    try {
      await authentication.authenticateRequest(activity, authorization);
      return true;
    } catch {
      return false;
    } finally {
      console.error = said;
    }
  };
}

/** The SDK for Teams. */
function teams(origin) {
  const { withJwtValidation } = load("@microsoft/teams.apps/dist/middleware");
  const { PUBLIC, withOverrides } = load("@microsoft/teams.api");
  const cloud = withOverrides(PUBLIC, { loginEndpoint: origin, openIdMetadataUrl: `${origin}/v1/.well-known/openidconfiguration` });
  const middleware = withJwtValidation({ credentials: { clientId: app, tenantId: tenant }, logger: quiet, cloud });
  return (request) => passes(middleware, request);
}

/** The SDK for agents of Microsoft 365. */
function agents(origin) {
  const { authorizeJWT } = load("@microsoft/agents-hosting");
  const connection = { clientId: app, tenantId: tenant, authority: origin, validateIssuer: true };
  const middleware = authorizeJWT({ ...connection, connections: new Map([["serviceConnection", connection]]) });
  return async (request) => {
    // Where the Bot Framework's keys are is written in its code: this one host leads to the stand-in.
    const ask = https.request;
    https.request = (options, answered) =>
      options.hostname === "login.botframework.com"
        ? http.request({ ...options, hostname: "127.0.0.1", port: new URL(origin).port }, answered)
        : ask(options, answered);
    try {
      return await passes(middleware, request);
    } finally {
      https.request = ask;
    }
  };
}

/** All of them, by their names. */
export function judges(origin) {
  return { "botframework-connector": botFramework(origin), "@microsoft/teams.apps": teams(origin), "@microsoft/agents-hosting": agents(origin) };
}
