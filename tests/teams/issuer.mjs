// A stand-in of Microsoft that signs: the same key and the same tokens that plugins/msteams/tests/it has. What is said of a token is in
// tokens.json.

import { constants, createHmac, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const here = (path) => new URL(path, import.meta.url);
export const table = JSON.parse(readFileSync(here("tokens.json"), "utf8"));

const key = createPrivateKey({ key: readFileSync(here("../../plugins/msteams/tests/it/issuer.pk8")), format: "der", type: "pkcs8" });
const { n, e } = createPublicKey(key).export({ format: "jwk" });
/** What is published of the key, in the form in which somebody may take it for a password. */
const published = createPublicKey(key).export({ format: "pem", type: "pkcs1" });

export const app = "11111111-aaaa-4bbb-8ccc-222222222222";
export const friend = "33333333-aaaa-4bbb-8ccc-333333333333";
export const tenant = "99999999-aaaa-4bbb-8ccc-888888888888";

const signatures = {
  RS256: (message) => sign("sha256", message, key),
  RS512: (message) => sign("sha512", message, key),
  PS256: (message) => sign("sha256", message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
  HS256: (message) => createHmac("sha256", published).update(message).digest(),
  none: () => Buffer.alloc(0),
};

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** The second over the first; null takes one out. */
function changed(first, second = {}) {
  return Object.fromEntries(Object.entries({ ...first, ...second }).filter(([, value]) => value !== null));
}

export class Issuer {
  static async start() {
    const issuer = new Issuer();
    issuer.server = createServer((request, response) => {
      const answer = issuer.#answer(request.url);
      response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
      response.end(JSON.stringify(answer ?? {}));
    });
    await new Promise((listening) => issuer.server.listen(0, "127.0.0.1", listening));
    issuer.origin = `http://127.0.0.1:${issuer.server.address().port}`;
    const service = `${issuer.origin}/connector/`;
    issuer.words = {
      app,
      friend,
      tenant,
      service,
      stranger: "44444444-aaaa-4bbb-8ccc-444444444444",
      login: issuer.origin,
      "other-tenant": "77777777-aaaa-4bbb-8ccc-777777777777",
      "service-bare": service.slice(0, -1),
      "service-loud": `${issuer.origin}/CONNECTOR/`,
    };
    return issuer;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }

  #answer(path) {
    const key = (named) => ({ kty: "RSA", use: "sig", n, e, ...named });
    const tenants = { keys: [key({ kid: "tenant" })] };
    switch (path) {
      case "/v1/.well-known/openidconfiguration":
        return { issuer: "https://api.botframework.com", jwks_uri: `${this.origin}/v1/.well-known/keys` };
      case "/v1/.well-known/keys":
        return { keys: table.keys.map(key) };
      case "/common/v2.0/.well-known/openid-configuration":
        return { issuer: `${this.origin}/{tenantid}/v2.0`, jwks_uri: `${this.origin}/common/discovery/v2.0/keys` };
      default:
        return path.endsWith("/discovery/v2.0/keys") ? tenants : undefined;
    }
  }

  /** A value of the table with what is meant in the place of its words. */
  #meant(value, name) {
    if (["exp", "nbf"].includes(name) && typeof value === "number") return Math.floor(Date.now() / 1000) + value;
    if (typeof value === "string") return value.replace(/\{([a-z-]+)\}/g, (whole, word) => this.words[word] ?? whole);
    if (Array.isArray(value)) return value.map((each) => this.#meant(each));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#meant(each, name)]));
  }

  /** The request of a row: what stands in its header, and the activity. */
  request(row) {
    const times = { nbf: -10, exp: 3_600 };
    const claims =
      row.of === "tenant"
        ? { iss: "https://sts.windows.net/{tenant}/", aud: "{app}", tid: "{tenant}", appid: "{app}", ver: "1.0", ...times }
        : { iss: "https://api.botframework.com", aud: "{app}", serviceurl: "{service}", ...times };
    const header = changed({ alg: "RS256", typ: "JWT", kid: row.of === "tenant" ? "tenant" : "good" }, row.header);
    const said = changed(this.#meant(claims), this.#meant(row.claims));
    const signed = `${encoded(header)}.${encoded(said)}`;
    const signature = signatures[header.alg](Buffer.from(signed)).toString("base64url");
    const unsigned = row.forged ? `${encoded(header)}.${encoded(changed(said, this.#meant(row.forged)))}` : signed;
    const activity = { type: "typing", channelId: "msteams", serviceUrl: "{service}", from: { id: "29:anna" }, conversation: { id: "a:1" } };
    return {
      authorization: (row.authorization ?? "Bearer {token}").replace("{token}", `${unsigned}.${signature}`).replace("{unsigned}", unsigned),
      activity: changed(this.#meant(activity), this.#meant(row.activity)),
    };
  }
}
