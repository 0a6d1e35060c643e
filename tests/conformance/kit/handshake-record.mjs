// What a gateway answers to each variant of the handshake, with the configuration that the variant names: one line of JSON for each, to be
// put into the file of the variants.
//
//   node kit/handshake-record.mjs                  OpenClaw's
//   node kit/handshake-record.mjs gatehouse none   this one, where the name has the word

import { PASSWORD, play, variants } from "./handshake.mjs";
import { Provider } from "./provider.mjs";
import { start } from "./targets.mjs";

const [, , name = "openclaw", part = ""] = process.argv;
const provider = await Provider.start();
const asked = variants.filter((variant) => !variant.state && variant.name.includes(part));
// A lock-out is of the whole gateway.
const byConfiguration = Object.groupBy(asked, ({ gateway, guesses }) => JSON.stringify([gateway ?? {}, guesses]));
try {
  for (const [configuration, group] of Object.entries(byConfiguration)) {
    const [differs] = JSON.parse(configuration.replaceAll("$PASSWORD", PASSWORD));
    // The page comes from the gateway's own address here, and not through a recorder.
    const target = await start(name, provider, { gateway: { controlUi: { allowedOrigins: null }, ...differs } });
    try {
      for (const variant of group) {
        const came = await play(variant, target.url, target.token).catch((error) => ({ failed: error.message }));
        console.log(JSON.stringify({ name: `${variant.group}: ${variant.name}`, [name]: came }));
      }
    } finally {
      await target.stop();
    }
  }
} finally {
  await provider.stop();
}
