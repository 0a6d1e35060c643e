// A gateway with a model that says what a test wants, and what tests ask of it beside the page.

import { Gateway } from "../conformance/gateway.mjs";
import { Model } from "./provider.mjs";

export { until } from "../conformance/gateway.mjs";

/** The folder of a page to be served instead of the one in the binary: to try the page with a gateway that was built before it. */
const root = process.env.PAGE_ROOT;

export class Setup {
  static async start(config = {}) {
    const setup = new Setup();
    setup.model = await Model.start();
    const page = root ? { controlUi: { root } } : {};
    setup.gateway = await Gateway.start({ ...setup.model.config, ...config, gateway: { ...page, ...config.gateway } });
    return setup;
  }

  get origin() {
    // A secure context, in which browsers give pages keys.
    return this.gateway.url.replace("ws://127.0.0.1", "http://localhost");
  }

  get token() {
    return this.gateway.token;
  }

  async stop() {
    await this.gateway.stop();
    await this.model.stop();
  }

  /** Calls a method as its owner does. */
  async call(method, params = {}) {
    const answer = await fetch(`${this.origin}/rpc/${method}`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      body: JSON.stringify(params),
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(`${method}: ${JSON.stringify(body)}`);
    return body;
  }

  /** Lets the model have a text by this name. Returns the message that asks for it. */
  text(name, what) {
    this.model.texts.set(name, typeof what === "string" ? { text: what } : what);
    return `please [[say ${name}]]`;
  }
}
