// OpenClaw's own clients against a gateway of this checkout: what fits into a minute or two of kit/, which has the rest.

import { after, before, test } from "node:test";

import { cli } from "./kit/cli.mjs";
import { knownDifference } from "./kit/differences.mjs";
import { frames } from "./kit/frames.mjs";
import { handshake } from "./kit/handshake.mjs";
import { disconnect, library } from "./kit/library.mjs";
import { controlUi, isInstalled, User } from "./kit/openclaw.mjs";
import * as browser from "./kit/page.mjs";
import { Provider } from "./kit/provider.mjs";
import { Recorder } from "./kit/recorder.mjs";
import { replay } from "./kit/replay.mjs";
import { start } from "./kit/targets.mjs";
import { tui } from "./kit/tui.mjs";

let provider, target, recorder, user, all;
before(async () => {
  provider = await Provider.start();
  target = await start("gatehouse", provider);
  recorder = await Recorder.start(target.url, { page: controlUi });
  user = await User.of(recorder.url, target.token);
  all = { provider, target, recorder, user, token: target.token, url: recorder.url, short: true };
});
after(async () => {
  await disconnect();
  await user.remove();
  await recorder.stop();
  await target.stop();
  await provider.stop();
});

/** Each check of a suite as a test of its own. A known difference may fail; see kit/differences.mjs for why. */
const within = (context) => ({
  async check(suite, name, body) {
    let ok = false;
    const whole = async () => {
      await body();
      ok = true;
    };
    await context.test(name, { todo: knownDifference(suite, name) ?? false }, whole);
    return ok;
  },
});

const clients = { skip: isInstalled ? false : "OpenClaw's clients are not installed: deploy/prerequisites.sh test" };

test("the handshake in all its variants", (context) => handshake(within(context), all));
test("the published client library", (context) => library(within(context), all));
test("requests that clients were seen to send", (context) => replay(within(context), all));
test("the command line", clients, (context) => cli(within(context), user, { short: true }));
test("the terminal", clients, (context) => tui(within(context), all));
test("the page", browser.isHere ? clients : { skip: "Chromium is not here" }, (context) => browser.page(within(context), all));
test("what was sent to them", (context) => frames(within(context), all));
