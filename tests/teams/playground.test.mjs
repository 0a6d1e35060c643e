// Microsoft's Agents Playground as a judge: what a person types there reaches the assistant, and it takes and shows whatever the plugin
// answers. Without what it needs, these tests are left out.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";

import { until } from "../conformance/gateway.mjs";
import { missing, Screen, Setup } from "./playground.mjs";

const LONG = Array.from({ length: 120 }, (_, at) => `word${at}`).join(" ");

/** Whatever is not closed yet while it is written. */
const RICH = `# Tea

It is **hot**, and \`green\`, and [leaves](https://example.org/leaves) make it:

1. one of *them*
2. two of **them, or more**

| kind | minutes |
|---|---|
| green | 3 |
| black | 5 |

\`\`\`sh
boil --until "hot" && pour
\`\`\`

That is **all**.`;

describe("a person at the Playground", { timeout: 180_000, skip: missing ?? false }, () => {
  /** @type {Setup} */
  let setup;
  /** @type {Screen} */
  let screen;
  before(async () => {
    setup = await Setup.start();
    setup.model.texts.set("long", { text: LONG, delay: 60 });
    setup.model.texts.set("endless", { text: LONG.replaceAll("word", "tick").repeat(20), delay: 60 });
    setup.model.texts.set("rich", { text: RICH, delay: 300 });
    screen = await Screen.open(setup);
  });
  after(async () => {
    await screen?.close();
    await setup?.stop();
  });
  afterEach(() => {
    assert.deepEqual(screen?.refused(), [], "each side takes what the other sends");
  });

  /** What the Playground was told by the bot from here on. */
  const since = (at) => screen.told.slice(at);
  const shown = (at, action) => since(at).filter((told) => told.action === action);

  test("is shown that somebody types, an answer as it is written, and the whole of it", async () => {
    const at = screen.told.length;
    await screen.says("please [[say long]]");
    await screen.sees("word10");
    await screen.sees("word119");

    await until("the end of the stream", () => shown(at, "updateMessage").find(({ message }) => message.streamEntity?.streamType === "final"));
    const [first, ...rest] = shown(at, "createMessage");
    assert.deepEqual(rest, [], "one message");
    assert.equal(first.message.streamEntity.streamType, "streaming");
    assert.ok(since(at).findIndex(({ action }) => action === "typing") < since(at).indexOf(first), "typing comes before words");
    const steps = [first, ...shown(at, "updateMessage")].map(({ message }) => message);
    assert.ok(steps.length >= 3, `${steps.length} steps`);
    for (const [number, step] of steps.entries()) {
      assert.equal(step.messageId, first.message.messageId);
      if (number > 0) assert.ok(step.text.startsWith(steps[number - 1].text), "each step begins with the one before");
    }
    assert.equal(steps.at(-1).text, LONG);
  });

  test("sees an answer grow in the form that it has", async () => {
    const at = screen.told.length;
    await screen.says("please [[say rich]]");

    await screen.page.locator("strong", { hasText: "hot" }).first().waitFor();
    await screen.page.locator("code", { hasText: "green" }).first().waitFor();
    await screen.page.locator("ol > li", { hasText: "one of them" }).first().waitFor();
    await screen.page.locator("strong", { hasText: "all" }).first().waitFor();
    await until("the end of the stream", () => shown(at, "updateMessage").find(({ message }) => message.streamEntity?.streamType === "final"));
    const steps = [...shown(at, "createMessage"), ...shown(at, "updateMessage")].map(({ message }) => message.text);
    for (const [number, step] of steps.entries()) {
      if (number > 0) assert.ok(step.startsWith(steps[number - 1]), `what was shown stays: ${JSON.stringify(steps)}`);
    }
    assert.ok(steps.length >= 3, `${steps.length} steps`);
  });

  test("presses one of the choices, which is heard as their own words", async () => {
    const person = setup.people.currentUser.aadObjectId;
    const choices = [
      { label: "Green", value: "please [[say hello]]" },
      { label: "Black", value: "black please" },
    ];
    await setup.call("send", { channel: "msteams", to: person, message: "Which tea?", choices, idempotencyKey: "which-tea" });
    await screen.sees("Which tea?");
    await screen.press("Green");

    await screen.sees("Sent to the assistant.");
    await screen.sees("Hello, I am here.");
  });

  test("presses a button of a card, and another card takes its place", async () => {
    const { conversations } = await setup.call("msteams.conversations.list", { kind: "personal" });
    assert.equal(conversations[0].id, setup.people.personalChat.id);
    const card = (text, actions) => ({ type: "AdaptiveCard", version: "1.5", body: [{ type: "TextBlock", text }], actions });
    await setup.call("msteams.card.send", {
      conversationId: conversations[0].id,
      card: card("Shall it be?", [{ type: "Action.Execute", title: "It shall", verb: "shall", data: { text: "it shall be" } }]),
      answerCard: card("So be it.", []),
    });
    await screen.sees("Shall it be?");
    await screen.press("It shall");

    await screen.sees("So be it.");
    await screen.page.getByText("Shall it be?").waitFor({ state: "detached" });
  });

  test("is answered in a group when the bot is spoken to, in a message that is changed until it is whole", async () => {
    await screen.chat("Group Chat");
    const at = screen.told.length;
    await screen.says("something that is not for the bot");
    await screen.says("please [[say long]]", { to: setup.people.bot.name });
    await screen.sees("word119");

    await until("the whole answer", () => shown(at, "updateMessage").find(({ message }) => message.text === LONG));
    const group = setup.people.groupChats[0].id;
    const created = shown(at, "createMessage").filter(
      ({ actionConversationId, message }) => actionConversationId === group && message.from.id === setup.people.bot.id,
    );
    assert.equal(created.length, 1, "what was not for the bot is not answered");
    assert.ok(!created[0].message.streamEntity, "streams are for chats of two");
  });

  test("is answered below what they posted in a channel", async () => {
    await screen.chat("General");
    const at = screen.told.length;
    await screen.says("hello", { button: "Post", to: setup.people.bot.name });
    await screen.sees("Hello, I am here.");

    const answer = await until("the answer", () => shown(at, "createMessage").find(({ message }) => message.from.id === setup.people.bot.id));
    assert.match(answer.actionConversationId, new RegExp(`^${setup.people.teams[0].channels[0].id};messageid=`));
  });

  test("takes the bot out of a channel and back, and the plugin knows where it is", async () => {
    const channel = setup.people.teams[0].channels[0].id;
    const isKnown = async () => (await setup.call("msteams.conversations.list", { kind: "channel" })).conversations.some(({ id }) => id === channel);
    for (const what of ["Add user", "Remove user", "Add channel", "Rename channel", "Rename team", "Remove channel"]) await screen.happens(what);
    assert.ok(await isKnown());

    await screen.happens("Uninstall application");
    await until("the channel to be forgotten", async () => ((await isKnown()) ? undefined : true));
    await screen.happens("Install application");
    await until("the channel to be known again", async () => ((await isKnown()) ? true : undefined));
  });

  test("stops an answer, which is over then, also where what was shown cannot be taken back", async () => {
    await screen.chat("Personal Chat");
    const at = screen.told.length;
    await screen.says("please [[say endless]]");
    await screen.sees("tick5");
    await screen.says("/stop");
    await screen.sees("Stopped.");

    const last = await until("the end of the stream", () =>
      shown(at, "updateMessage").find(({ message }) => message.streamEntity?.streamType === "final"),
    );
    assert.match(last.message.text, /^tick0 tick1 /);
    assert.equal(screen.deletions(), 1, "a call that the Playground does not have is not tried again");
  });

  test("is listed among the members of a chat", async () => {
    const { members } = await setup.call("msteams.members.list", { conversationId: setup.people.groupChats[0].id });

    const listed = members.map(({ name }) => name);
    for (const { name } of [setup.people.currentUser, ...setup.people.users]) assert.ok(listed.includes(name), `${name} of ${listed}`);
  });
});
