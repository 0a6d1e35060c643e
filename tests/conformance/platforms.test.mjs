// The platforms' own SDKs against the fakes that the adapters are tested with: what an SDK understands of a fake is what the platform
// says. And the adapters against the fakes that the OpenClaw project has made for its own: what those take is what a platform takes.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Gateway, until } from "./gateway.mjs";
import { Crabline, Fake, load, missing, missingFake } from "./platforms/fake.mjs";

const python = fileURLToPath(new URL("platforms/python", import.meta.url));

/** What an SDK says of sockets that break is what these tests are about. */
const nothing = () => {};
const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing, setLevel: nothing, setName: nothing, getLevel: () => "error" };

describe("Slack's own SDK takes our workspace for Slack", { timeout: 60_000, skip: missingFake || missing("@slack/web-api") }, () => {
  let fake, web, socket;
  const heard = [];
  before(async () => {
    fake = await Fake.start("slack");
    const { WebClient } = load("@slack/web-api");
    const { SocketModeClient } = load("@slack/socket-mode");
    const slackApiUrl = `${fake.manifest.root}/`;
    web = new WebClient(fake.manifest.botToken, { slackApiUrl, logger: quiet });
    socket = new SocketModeClient({ appToken: fake.manifest.appToken, clientOptions: { slackApiUrl, logger: quiet }, logger: quiet });
    socket.on("message", async ({ event, ack }) => (await ack(), heard.push(event.text)));
    socket.on("interactive", async ({ body, ack }) => (await ack(), heard.push(body.actions[0].value)));
    socket.on("slash_commands", async ({ body, ack }) => (await ack(), heard.push(body.command)));
    await socket.start();
  });
  after(async () => {
    await socket?.disconnect();
    fake?.stop();
  });

  test("events, buttons and commands come over a socket and are over once they are acknowledged", async () => {
    await fake.do("says", { person: "UANNA", text: "hello" });
    await fake.do("presses", { channel: "C1", person: "UANNA", ts: "1.2", name: "choice-0", value: "yes" });
    await fake.do("envelope", { kind: "slash_commands", payload: { command: "/gatehouse", text: "status", channel_id: "C1", trigger_id: "1" } });
    await until("all three", () => (heard.length === 3 ? true : undefined));
    assert.deepEqual(heard.splice(0), ["hello", "yes", "/gatehouse"]);
    await until("the last to be over", async () => ((await fake.do("unread")) === 0 ? true : undefined));
  });

  test("a socket that goes is followed by another, and nothing said meanwhile is lost", async () => {
    const opened = await fake.do("opened");
    await fake.do("disconnect", { reason: "refresh_requested" });
    await until("another socket", async () => ((await fake.do("opened")) > opened ? true : undefined));
    await fake.do("says", { person: "UANNA", text: "still there?" });
    await until("what was said", () => (heard.includes("still there?") ? true : undefined));
  });

  test("messages are posted, changed and deleted, with buttons and files", async () => {
    assert.equal((await web.auth.test()).user_id, "U0GATE");
    const button = { type: "button", action_id: "choice-0", value: "yes", text: { type: "plain_text", text: "Yes" } };
    const blocks = [{ type: "section", text: { type: "mrkdwn", text: "Right?" } }, { type: "actions", elements: [button] }];
    const posted = await web.chat.postMessage({ channel: "C1", text: "Right?", blocks });
    assert.ok(posted.ok && posted.ts);
    await web.chat.update({ channel: "C1", ts: posted.ts, text: "12" });
    assert.equal((await fake.do("seen")).at(-1).text, "12");
    await assert.rejects(web.chat.postMessage({ channel: "C1", text: "x", blocks: [{ type: "actions", elements: [] }] }), /invalid_blocks/);
    await web.chat.delete({ channel: "C1", ts: posted.ts });
    assert.equal((await fake.do("seen")).length, 0);
  });

  test("what comes too fast is waited for as long as it is told", async () => {
    await fake.do("waits", { method: "chat.postMessage", seconds: 1 });
    const began = performance.now();
    await web.chat.postMessage({ channel: "C1", text: "later" });
    assert.ok(performance.now() - began >= 1_000);
    assert.equal((await fake.do("seen")).filter((seen) => seen.text === "later").length, 1);
  });

  test("an answer is streamed below a thread", async () => {
    const begun = await web.apiCall("chat.startStream", {
      channel: "C1", thread_ts: "1.1", markdown_text: "one", recipient_user_id: "UANNA", recipient_team_id: "T1",
    });
    await web.apiCall("chat.appendStream", { channel: "C1", ts: begun.ts, markdown_text: " two" });
    await web.apiCall("chat.stopStream", { channel: "C1", ts: begun.ts });
    const shown = (await fake.do("seen")).find((seen) => seen.ts === begun.ts);
    assert.deepEqual([shown.text, shown.thread], ["one two", "1.1"]);
  });
});

describe("discord.js takes our Discord for Discord", { timeout: 60_000, skip: missingFake || missing("discord.js") }, () => {
  let fake, client;
  const heard = [];
  before(async () => {
    fake = await Fake.start("discord");
    const { Client, GatewayIntentBits, Partials } = load("discord.js");
    const { Guilds, GuildMessages, DirectMessages, MessageContent } = GatewayIntentBits;
    client = new Client({
      intents: [Guilds, GuildMessages, DirectMessages, MessageContent],
      partials: [Partials.Channel, Partials.Message],
      rest: { api: fake.manifest.root.replace("/v10", ""), version: "10" },
      waitGuildTimeout: 50,
    });
    client.on("messageCreate", (message) => heard.push(message.content));
    client.on("interactionCreate", async (interaction) => {
      if (!interaction.isButton()) return;
      await interaction.deferUpdate();
      heard.push(interaction.customId);
    });
    const ready = new Promise((done) => client.once("clientReady", done));
    await client.login(fake.manifest.token);
    await ready;
  });
  after(async () => {
    await client?.destroy();
    fake?.stop();
  });

  test("what people say and press comes over the gateway, and a press is answered", async () => {
    await fake.do("says", { person: "7", text: "hello" });
    const id = await fake.do("number");
    const data = {
      id, token: "a-token", type: 3, version: 1, application_id: "4242", channel_id: "17", entitlements: [], authorizing_integration_owners: {}, user: { id: "7", username: "anna", discriminator: "0" },
      message: { id: "99", channel_id: "17", content: "Right?", author: { id: "4242", username: "gatebot" } },
      data: { custom_id: "choice:yes", component_type: 2 },
    };
    await fake.do("event", { kind: "INTERACTION_CREATE", data });
    await until("both", () => (heard.length === 2 ? true : undefined));
    assert.deepEqual(heard.splice(0).sort(), ["choice:yes", "hello"]);
    assert.equal((await fake.do("calls", { method: "POST callback" }))[0].type, 6);
  });

  test("a connection that is asked to come back goes on in its session", async () => {
    await fake.do("reconnect");
    await until("the session to go on", async () => ((await fake.do("resumed")) > 0 ? true : undefined));
    await fake.do("says", { person: "7", text: "still there?" });
    await until("what was said", () => (heard.includes("still there?") ? true : undefined));
    assert.equal(await fake.do("identified"), 1);
  });

  test("a message is sent once by its nonce, changed, reacted to and deleted, with buttons", async () => {
    const { ActionRowBuilder, ButtonBuilder, ButtonStyle } = load("discord.js");
    const button = new ButtonBuilder().setCustomId("choice:yes").setLabel("Yes").setStyle(ButtonStyle.Secondary);
    const components = [new ActionRowBuilder().addComponents(button)];
    const anna = await client.users.createDM("7");
    const message = { content: "Right?", components, nonce: "a-nonce", enforceNonce: true };
    const sent = await anna.send(message);
    const again = await anna.send(message);
    assert.equal(sent.id, again.id);
    assert.equal((await fake.do("seen")).length, 1);
    await sent.edit("Well?");
    await sent.react("👀");
    assert.equal((await fake.do("seen"))[0].text, "Well?");
    await sent.delete();
    assert.equal((await fake.do("seen")).length, 0);
  });

  test("what comes too fast is waited for as long as it is told", async () => {
    await fake.do("waits", { method: "POST messages", seconds: 1 });
    const began = performance.now();
    await (await client.users.createDM("7")).send("later");
    assert.ok(performance.now() - began >= 1_000);
  });
});

const noTelegram = missingFake || (existsSync(`${python}/telegram`) ? false : "python-telegram-bot is not installed");
test("python-telegram-bot takes our Bot API for Telegram", { skip: noTelegram, timeout: 60_000 }, async () => {
  const fake = await Fake.start("telegram");
  try {
    await fake.do("keeps", { id: "a-file", text: "its bytes" });
    await fake.do("says", { person: 7, text: "hello" });
    await fake.do("waits", { method: "sendChatAction", seconds: 3 });
    const script = fileURLToPath(new URL("platforms/telegram_python.py", import.meta.url));
    const env = { ...process.env, PYTHONPATH: python, ROOT: fake.manifest.root, TOKEN: fake.manifest.token };
    const { stdout } = await promisify(execFile)("python3", [script], { env, timeout: 50_000 });
    const told = JSON.parse(stdout);

    assert.deepEqual(told.heard, ["hello"]);
    assert.deepEqual(told.refused, "Can't parse entities");
    assert.equal(told.file, "its bytes");
    assert.deepEqual([told.wait, told.long], [3, "Message is too long"]);
    const seen = await fake.do("seen");
    assert.deepEqual(seen.map((one) => one.text), ["Well?", "see"]);
    assert.equal(seen[1].file.method, "sendDocument");
    assert.equal(await fake.do("unread"), 0);
  } finally {
    fake.stop();
  }
});

describe("what the OpenClaw project has made for its own channels takes our adapters", { timeout: 120_000, skip: missing("@openclaw/crabline") }, () => {
  const platforms = ["telegram", "slack", "discord", "signal", "whatsapp"];
  const crabs = {};
  let gateway;
  before(async () => {
    const started = await Promise.all(platforms.map((platform) => Crabline.start(platform)));
    platforms.forEach((platform, place) => (crabs[platform] = started[place]));
    const open = { dmPolicy: "open", allowFrom: ["*"], groupPolicy: "open" };
    const at = (platform) => crabs[platform].manifest;
    const { telegram, slack, discord, signal, whatsapp } = {
      telegram: { botToken: at("telegram").botToken, apiRoot: at("telegram").endpoints.apiRoot },
      slack: { botToken: at("slack").botToken, mode: "http", signingSecret: at("slack").signingSecret, apiRoot: at("slack").endpoints.apiRoot },
      discord: { token: at("discord").botToken, apiRoot: `${at("discord").endpoints.apiRoot}/v10` },
      signal: { account: at("signal").account, httpUrl: at("signal").baseUrl },
      whatsapp: {
        phoneNumberId: at("whatsapp").phoneNumberId, accessToken: at("whatsapp").accessToken, appSecret: "an app's secret",
        verifyToken: "a word of ours", apiRoot: at("whatsapp").endpoints.apiRoot,
      },
    };
    const channels = { telegram, slack, discord, signal, whatsapp };
    for (const channel of Object.values(channels)) Object.assign(channel, open);
    gateway = await Gateway.start({ channels });
  });
  after(async () => {
    await gateway?.stop();
    await Promise.all(Object.values(crabs).map((crab) => crab.stop()));
  });

  /** Waits for an answer with these words among what was asked of the platform. */
  const answered = (platform, path, words) =>
    until(`an answer on ${platform}`, async () => {
      const calls = (await crabs[platform].recorded()).filter((call) => call.type !== "admin");
      return calls.find((call) => JSON.stringify(call).includes(words) && path.test(JSON.stringify(call)));
    }, 20_000);
  const post = (platform, headers, body) =>
    fetch(`${gateway.url.replace("ws://", "http://")}/webhooks/${platform}/default`, {
      method: "POST", headers: { "content-type": "application/json", ...headers }, body,
    });
  const hmac = (secret, text) => createHmac("sha256", secret).update(text).digest("hex");

  test("Telegram", async () => {
    await crabs.telegram.inject({ chatId: 4711, text: "hello from telegram" });
    await answered("telegram", /sendMessage/, "hello from telegram");
  });

  test("Slack", async () => {
    const body = JSON.stringify({
      type: "event_callback", team_id: "T1", event_id: randomUUID(),
      event: { type: "message", channel: "D0123456789", channel_type: "im", user: "U0123456789", text: "hello from slack", ts: "1790000000.000100" },
    });
    const stamp = Math.floor(Date.now() / 1000);
    const signature = `v0=${hmac(crabs.slack.manifest.signingSecret, `v0:${stamp}:${body}`)}`;
    const taken = await until("the account to be there", async () => {
      const answer = await post("slack", { "x-slack-request-timestamp": `${stamp}`, "x-slack-signature": signature }, body);
      return answer.status === 200 ? answer : undefined;
    });
    assert.equal(taken.status, 200);
    await answered("slack", /chat\.postMessage/, "hello from slack");
  });

  test("Discord", async () => {
    const { channelId } = crabs.discord.manifest.fixture;
    const me = crabs.discord.manifest.botUserId;
    await until("the bot to be there", async () =>
      ((await crabs.discord.recorded()).some((call) => JSON.stringify(call).includes("gateway/bot")) ? true : undefined));
    const content = `<@${me}> hello from discord`;
    await until("a message to be answered", async () => {
      await crabs.discord.inject({ channelId, senderId: "135000000000000077", senderName: "Anna", content });
      return answered("discord", /messages/, "hello from discord").catch(() => undefined);
    }, 40_000);
  });

  test("Signal", async () => {
    await crabs.signal.inject({ sourceNumber: "+491701234567", senderName: "Anna", text: "hello from signal" });
    await answered("signal", /"send"/, "hello from signal");
  });

  test("WhatsApp", async () => {
    const body = JSON.stringify({
      object: "whatsapp_business_account",
      entry: [{ id: "1", changes: [{ field: "messages", value: {
        messaging_product: "whatsapp", metadata: { phone_number_id: crabs.whatsapp.manifest.phoneNumberId },
        contacts: [{ profile: { name: "Anna" }, wa_id: "491701234567" }],
        messages: [{ from: "491701234567", id: "wamid.1", timestamp: "1790000000", type: "text", text: { body: "hello from whatsapp" } }],
      } }] }],
    });
    await until("the account to be there", async () => {
      const answer = await post("whatsapp", { "x-hub-signature-256": `sha256=${hmac("an app's secret", body)}` }, body);
      return answer.status === 200 ? true : undefined;
    });
    await answered("whatsapp", /messages/, "hello from whatsapp");
  });
});
