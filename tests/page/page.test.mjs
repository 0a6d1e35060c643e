// The gateway's own page in a headless Chromium, used as a person uses it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { closeAll, DESKTOP, isHere, PHONE, Screen } from "./browser.mjs";
import { Setup, until } from "./gateway.mjs";

const chromium = { skip: isHere ? false : "Chromium is not here" };

/** @type {Setup} */
let setup;
before(async () => {
  if (isHere) setup = await Setup.start();
});
after(async () => {
  await closeAll();
  await setup?.stop();
});

/** A test with a screen of its own. */
function page(name, body, look = DESKTOP) {
  test(name, chromium, async () => {
    const screen = await Screen.open(setup.origin, look);
    await body(screen);
    await screen.close();
  });
}

/** A conversation of its own, so that tests do not meet. */
async function conversation(screen, title) {
  const { key } = await setup.call("sessions.create", { displayName: title });
  await screen.signIn(setup.token, `/chat/${encodeURIComponent(key)}`);
  return key;
}

const words = (count) => Array.from({ length: count }, (_, at) => `w${at}`).join(" ");

page("a wrong token is refused with what to do, and the right one opens the assistant", async (screen) => {
  await screen.page.goto(screen.origin);
  await screen.page.getByLabel("Token or pairing code").fill("wrong");
  await screen.press("Sign in");
  await screen.page.getByText("gatehouse token show").first().waitFor();
  await screen.page.getByLabel("Token or pairing code").fill(setup.token);
  await screen.press("Sign in");

  await screen.field.waitFor();
});

page("a link with the token signs in, and the address holds it no longer", async (screen) => {
  await screen.page.goto(`${screen.origin}/#token=${setup.token}`);
  await screen.field.waitFor();

  assert.equal(await screen.page.evaluate(() => location.href), `${screen.origin}/`);
  assert.ok(!screen.asked.some((url) => url.includes(setup.token)), "no request had it in its address");
  const kept = await screen.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  assert.ok(!kept.includes(setup.token), "the browser keeps the device's own token, in its database");
});

page("a reload, a new tab and a restart of the gateway ask for no login", async (screen) => {
  await screen.signIn(setup.token);
  await screen.page.reload();
  await screen.field.waitFor();
  await screen.tab();
  await screen.page.goto(`${screen.origin}/now`);
  await screen.page.getByRole("heading", { name: "Nothing runs" }).waitFor();
  await setup.gateway.end();
  await setup.gateway.begin();
  await screen.page.reload();

  await screen.page.getByRole("heading", { name: "Nothing runs" }).waitFor();
});

page("a pairing code lets a browser read and write, and look after nothing", async (screen) => {
  const { setupCode } = await setup.call("device.pair.setupCode", { publicUrl: screen.origin });
  await screen.page.goto(`${screen.origin}/#code=${setupCode}`);
  await screen.field.waitFor();
  await screen.say("hello by code");
  await screen.shows("Hello, I am here.");
  await screen.page.goto(`${screen.origin}/gateway`);
  await screen.page.getByRole("link", { name: "Status" }).waitFor();

  assert.equal(await screen.page.getByRole("link", { name: "Devices" }).count(), 0);
  await screen.page.reload();
  await screen.page.getByRole("link", { name: "Status" }).waitFor();
});

page("a link lets another browser in, also where nobody has said how the gateway is reached", async (screen) => {
  await screen.signIn(setup.token, "/gateway/devices");
  await screen.press("Make a link");
  const link = await screen.page.locator(".code-once code").innerText();

  assert.ok(link.startsWith(`${screen.origin}/#code=`), link);
  await screen.page.getByText(`No other machine reaches ${screen.origin}`).waitFor();
  const other = await Screen.open(screen.origin);
  await other.page.goto(link);
  await other.field.waitFor();
  await other.close();
});

page(
  "the part of the gateway that is open is in sight among the others",
  async (screen) => {
    await screen.signIn(setup.token, "/gateway/status");
    for (const part of ["settings", "logs", "status"]) {
      await screen.page.goto(`${screen.origin}/gateway/${part}`);
      await screen.page.waitForFunction(() => {
        const place = document.querySelector(".tabs [aria-current]")?.getBoundingClientRect();
        return place && place.left >= 0 && place.right <= innerWidth;
      });
    }
    await screen.page.goto(`${screen.origin}/gateway/logs`);
    await screen.page.getByLabel("Lines of the log").getByText("clients connect to").first().waitFor();
  },
  PHONE,
);

test("a browser that is new waits to be let in, and goes on by itself", chromium, async () => {
  const strict = await Setup.start({ gateway: { nodes: { pairing: { autoApproveLocal: false } } } });
  const screen = await Screen.open(strict.origin);
  await screen.page.goto(strict.origin);
  await screen.page.getByLabel("Token or pairing code").fill(strict.token);
  await screen.press("Sign in");
  await screen.page.getByRole("heading", { name: "Waiting to be let in" }).waitFor();
  const { pending } = await strict.call("device.pair.list");
  assert.ok((await screen.page.locator("main").innerText()).includes(`gatehouse devices approve ${pending[0].requestId.slice(0, 8)}`));
  await strict.call("device.pair.approve", { requestId: pending[0].requestId });

  await screen.field.waitFor();
  await screen.close();
  await strict.stop();
});

page("who may only read is shown everything and offered nothing", async (screen) => {
  const made = await setup.call("users.create", { id: "reader", scopes: ["operator.read"] });
  await screen.page.goto(`${screen.origin}/#token=${made.token}`);
  await screen.page.getByText("This browser may read here, and not write.").waitFor();

  assert.ok(!(await screen.field.isVisible()));
  assert.equal(await screen.page.getByRole("button", { name: "New conversation" }).count(), 0);
});

page("signing out forgets the device on both sides", async (screen) => {
  await screen.signIn(setup.token, "/gateway/status");
  await screen.page.getByRole("button", { name: "Sign out" }).waitFor();
  const before = (await setup.call("device.pair.list")).paired.length;
  await screen.press("Sign out");
  await screen.page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
  await screen.page.getByLabel("Token or pairing code").waitFor();

  assert.equal((await setup.call("device.pair.list")).paired.length, before - 1);
  await screen.page.reload();
  await screen.page.getByLabel("Token or pairing code").waitFor();
});

page("a browser that may do little is forgotten by the gateway, too, when it signs out", async (screen) => {
  const { setupCode } = await setup.call("device.pair.setupCode", { publicUrl: screen.origin });
  await screen.page.goto(`${screen.origin}/#code=${setupCode}`);
  await screen.field.waitFor();
  const before = (await setup.call("device.pair.list")).paired.length;
  await screen.page.goto(`${screen.origin}/gateway/status`);
  await screen.press("Sign out");
  await screen.page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
  await screen.page.getByLabel("Token or pairing code").waitFor();

  assert.equal((await setup.call("device.pair.list")).paired.length, before - 1);
});

page("two tabs show the same, and leave together", async (screen) => {
  const first = screen.page;
  const key = await conversation(screen, "in two tabs");
  const second = await screen.tab();
  await second.goto(`${screen.origin}/chat/${encodeURIComponent(key)}`);
  await second.getByLabel("Message", { exact: true }).waitFor();
  screen.page = first;
  await screen.say("said in the first");
  await second.getByRole("log").getByText("said in the first").waitFor();
  await second.getByRole("log").getByText("Hello, I am here.").waitFor();
  await first.goto(`${screen.origin}/gateway/status`);
  await screen.press("Sign out");
  await first.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();

  await second.getByLabel("Token or pairing code").waitFor();
});

page("an answer comes as it is made, with its thinking folded", async (screen) => {
  await conversation(screen, "streaming");
  await screen.say(setup.text("stream", { thinking: "Let me think about it.", text: words(120), delay: 30 }));
  await screen.shows(/w0 w1 w2/);
  const early = await screen.page.getByRole("log").innerText();
  assert.ok(!early.includes("w119"), "it came all at once");
  await screen.shows(/w118 w119/);

  const log = screen.page.getByRole("log");
  await log.getByText("Thoughts").click();
  await log.getByText("Let me think about it.").waitFor();
});

page("a stop ends the answer and keeps what was said", async (screen) => {
  const key = await conversation(screen, "stopped");
  await screen.say(setup.text("long", { text: words(2_000), delay: 50 }));
  await screen.shows(/w0 w1/);
  await screen.press("Stop the answer");
  await screen.shows("Stopped.");

  const { sessions } = await setup.call("sessions.list", {});
  assert.equal(sessions.find((row) => row.key === key).hasActiveRun, false);
});

page("an answer that is cut off in its middle is the same at the end, by reload or by loss of the network", async (screen) => {
  const sockets = [];
  await screen.page.routeWebSocket(/.*/, (socket) => {
    socket.connectToServer();
    sockets.push(socket);
  });
  const key = await conversation(screen, "cut");
  await screen.say(setup.text("cut", { text: words(400), delay: 25 }));
  await screen.shows(/w0 w1/);
  await screen.page.reload();
  await screen.shows(/w5 w6/);
  await sockets.at(-1).close({ code: 1001 });
  await screen.shows(/w20 w21/);
  await sockets.at(-1).close({ code: 1012 });
  await screen.shows(/w398 w399/);

  const shown = await screen.page.locator(".answered .text").innerText();
  const { messages } = await setup.call("chat.history", { sessionKey: key });
  assert.equal(shown.trim(), messages.at(-1).content[0].text, "the page and the transcript say the same");
});

page("a tool is a line that opens, with what it was told and what it answered", async (screen) => {
  let socket;
  await screen.page.routeWebSocket(/.*/, (route) => {
    route.connectToServer();
    socket = route;
  });
  const sessionKey = await conversation(screen, "tools");
  await screen.say(setup.text("tools", { text: words(300), delay: 50 }));
  await screen.shows(/w0 w1/);
  const { sessions } = await setup.call("sessions.list", {});
  const runId = sessions.find((row) => row.key === sessionKey).lastRunId;
  // No tool is at hand in this gateway, so its events are said in its place.
  const says = (data) => socket.send(JSON.stringify({ type: "event", event: "agent", payload: { runId, sessionKey, seq: 1, stream: "tool", data } }));
  says({ phase: "start", name: "weather", toolCallId: "t1", args: { city: "Lisbon" } });
  const row = screen.page.locator(".tool", { hasText: "weather" });
  await row.getByText("at work").waitFor();
  await row.getByText("Lisbon").first().waitFor();
  says({ phase: "result", name: "weather", toolCallId: "t1", isError: false, result: { content: [{ type: "text", text: "21 degrees <b>" }] } });
  await row.getByText("done").waitFor();
  await row.locator("summary").click();

  await row.getByText("21 degrees <b>").waitFor();
});

page("what is said while the gateway is away is sent once when it is back, over a reload", async (screen) => {
  const key = await conversation(screen, "away");
  await screen.say("first");
  await screen.shows("Hello, I am here.");
  await setup.gateway.end();
  await screen.say("said into the void");
  await screen.page.getByText("Waits for the gateway").waitFor();
  await setup.gateway.begin();
  await screen.page.reload();
  await until("the answer to it", async () => {
    const { messages } = await setup.call("chat.history", { sessionKey: key });
    return messages.length === 4 ? true : undefined;
  });

  await screen.shows("said into the void");
  const said = await screen.page.locator(".said").count();
  assert.equal(said, 2);
});

page("the page opens without its gateway, and goes on when that is back", async (screen) => {
  // Another copy of the page than the one in the binary is not kept.
  if (process.env.PAGE_ROOT) return;
  await conversation(screen, "offline");
  await screen.page.waitForFunction(() => navigator.serviceWorker.controller);
  await screen.page.reload();
  await screen.field.waitFor();
  await setup.gateway.end();
  await screen.page.reload();
  await screen.page.getByText("The gateway is away.").waitFor();
  await screen.say("written without it");
  await setup.gateway.begin();

  await screen.shows("Hello, I am here.");
});

page("a failed answer says why, in place", async (screen) => {
  await conversation(screen, "failing");
  await screen.say(setup.text("ill", { status: 400 }));

  await screen.page.locator(".item .problem").waitFor();
});

page("commands complete themselves, and a draft survives a reload", async (screen) => {
  await conversation(screen, "commands");
  await screen.field.fill("/sta");
  await screen.page.getByRole("option", { name: /\/status/ }).waitFor();
  await screen.field.press("Tab");
  assert.equal(await screen.field.inputValue(), "/status ");
  await screen.field.press("Enter");
  await screen.page.locator(".answered").first().waitFor();
  await screen.field.fill("half a sentence");
  await screen.page.reload();

  await until("the draft", async () => ((await screen.field.inputValue()) === "half a sentence" ? true : undefined));
});

page("a file is attached, shown and said", async (screen) => {
  await conversation(screen, "files");
  const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
  await screen.page.locator('input[type="file"]').setInputFiles({ name: "dot.png", mimeType: "image/png", buffer: png });
  await screen.page.getByText("dot.png").waitFor();
  await screen.say("look");

  await screen.page.locator('.said img[src*="/__openclaw__/media/"]').waitFor();
});

page("a session is renamed, found, put away and deleted with a word", async (screen) => {
  const key = await conversation(screen, "to be renamed");
  const menu = async (entry) => {
    await screen.press("What to do with this conversation");
    await screen.page.getByRole("menuitem", { name: entry }).click();
  };
  await menu("Rename");
  await screen.page.getByRole("dialog").getByRole("textbox").fill("A name of its own");
  await screen.page.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
  await screen.page.getByRole("heading", { name: "A name of its own" }).waitFor();
  await screen.page.getByRole("searchbox").fill("name of its");
  const listed = screen.page.locator(".sessions li");
  await until("one is found", async () => ((await listed.count()) === 1 ? true : undefined));
  await screen.page.getByRole("searchbox").fill("");
  await menu("Archive");
  await until("it is put away", async () => ((await setup.call("sessions.describe", { key })).session.archived ? true : undefined));
  await menu("Delete");
  await screen.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  assert.ok(await screen.page.getByRole("dialog").isVisible(), "not without the word");
  await screen.page.getByRole("dialog").getByRole("textbox").fill("delete");
  await screen.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();

  await until("it is gone", async () => ((await setup.call("sessions.describe", { key })).session ? undefined : true));
});

page("a message is said otherwise in a conversation of its own", async (screen) => {
  await conversation(screen, "forked");
  await screen.say("said at first");
  await screen.shows("Hello, I am here.");
  await screen.page.locator(".said").hover();
  await screen.press("Say it otherwise");

  await until("the text to be written anew", async () => ((await screen.field.inputValue()) === "said at first" ? true : undefined));
});

page("now shows what runs elsewhere, and stops it", async (screen) => {
  await screen.signIn(setup.token);
  const { key } = await setup.call("sessions.create", { displayName: "elsewhere" });
  await setup.call("chat.send", {
    sessionKey: key,
    message: setup.text("elsewhere", { text: words(2_000), delay: 50 }),
    idempotencyKey: crypto.randomUUID(),
  });
  await screen.page.goto(`${screen.origin}/now`);
  const card = screen.page.locator(".card", { hasText: "elsewhere" });
  await card.getByText(/w3 w4/).waitFor();
  await card.getByRole("button", { name: "Stop" }).click();

  await screen.page.getByRole("heading", { name: "Nothing runs" }).waitFor();
});

page("a key is set in the form and unset again, and what is wrong is said beside it", async (screen) => {
  await screen.signIn(setup.token);
  await screen.page.goto(`${screen.origin}/gateway/settings`);
  await screen.page.locator("summary", { hasText: "Gateway" }).first().click();
  await screen.page.locator("summary", { hasText: "Control UI" }).first().click();
  const path = screen.page.locator('[id="key-gateway.controlUi.basePath"]');
  await path.fill("no path");
  await path.blur();
  await screen.page.locator(".key .problem:visible").waitFor();
  const port = screen.page.locator('[id="key-gateway.port"]');
  await port.fill("18999");
  await port.blur();
  const written = async () => (await setup.call("config.get")).sourceConfig.gateway?.port;
  await until("it is kept", async () => ((await written()) === 18999 ? true : undefined));
  await screen.press("Unset Port");

  await until("it is unset", async () => ((await written()) === undefined ? true : undefined));
});

page("a schedule is added, changed, run, turned off and removed, and its runs are told", async (screen) => {
  await screen.signIn(setup.token, "/gateway/schedules");
  await screen.press("New schedule");
  const dialog = screen.page.getByRole("dialog");
  assert.equal(await dialog.locator(".actions").evaluate((node) => getComputedStyle(node).opacity), "1", "what can be done is seen");
  await dialog.getByLabel("Name", { exact: true }).fill("water the garden");
  await dialog.getByLabel("When", { exact: true }).selectOption("cron");
  await dialog.getByLabel("Minute, hour, day, month, weekday").fill("not a time");
  await dialog.getByLabel("Words").fill("Is it dry?");
  await dialog.getByLabel("Who is told of the answer").selectOption("none");
  await dialog.getByRole("button", { name: "Add" }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByLabel("Minute, hour, day, month, weekday").fill("0 6 * * *");
  await dialog.getByRole("button", { name: "Add" }).click();
  const job = screen.page.locator(".job", { hasText: "water the garden" });
  await job.getByText("by the clock: 0 6 * * *").waitFor();
  const kept = async () => (await setup.call("cron.list", { includeDisabled: true })).jobs.find(({ name }) => name.startsWith("water"));
  const made = await kept();
  assert.deepEqual([made.payload, made.delivery], [{ kind: "agentTurn", message: "Is it dry?" }, { mode: "none" }]);

  await job.getByRole("button", { name: "Run now" }).click();
  await until("it ran", async () => ((await kept()).lastRunStatus === "ok" ? true : undefined));
  await job.getByText("Last runs").click();
  await job.getByText(/went well · by hand/).waitFor();
  await job.getByText("Hello, I am here.").waitFor();
  await job.getByRole("button", { name: "Turn off" }).click();
  await job.getByRole("button", { name: "Turn on" }).waitFor();
  await job.getByRole("button", { name: "Edit" }).click();
  await dialog.getByLabel("Words").fill("Is it very dry?");
  await dialog.getByRole("button", { name: "Keep" }).click();
  await dialog.waitFor({ state: "detached" });
  const now = await kept();
  assert.deepEqual([now.payload.message, now.enabled, now.schedule, now.delivery], ["Is it very dry?", false, made.schedule, made.delivery]);

  await job.getByRole("button", { name: "Remove" }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await job.waitFor({ state: "detached" });
});

page("who may only read sees the schedules and is offered nothing of them", async (screen) => {
  const job = { name: "read of it", schedule: { kind: "every", everyMs: 7_200_000 }, sessionTarget: "isolated", wakeMode: "now" };
  const { id } = await setup.call("cron.add", { ...job, payload: { kind: "agentTurn", message: "x" }, delivery: { mode: "none" } });
  const made = await setup.call("users.create", { id: "watcher", scopes: ["operator.read"] });
  await screen.page.goto(`${screen.origin}/#token=${made.token}`);
  await screen.page.locator(".shell").waitFor();
  await screen.page.goto(`${screen.origin}/gateway/schedules`);
  const shown = screen.page.locator(".job", { hasText: "read of it" });
  await shown.getByText("every 2 hours").waitFor();
  await shown.getByText("Last runs").click();
  await shown.getByText("None yet.").waitFor();

  assert.equal(await screen.page.locator(".sections button").count(), 0);
  await setup.call("cron.remove", { id });
});

page("settings are checked before they are kept", async (screen) => {
  await screen.signIn(setup.token);
  await screen.page.goto(`${screen.origin}/gateway/settings/text`);
  const field = screen.page.getByLabel("Configuration as JSON5");
  const text = await field.inputValue();
  await field.fill(text.replace(/^\{/, '{"session": {"dmScope": "many"},'));
  await screen.press("Check and keep");
  await screen.page.locator(".issues .error").first().waitFor();
  assert.ok(!(await setup.call("config.get")).raw.includes("many"), "it is not kept");
  await field.fill(text.replace(/^\{/, '{// kept by the page\n"session": {"dmScope": "per-channel-peer"},'));
  await screen.press("Check and keep");

  await until("it is kept", async () => ((await setup.call("config.get")).raw.includes("kept by the page") ? true : undefined));
});

page("a chat takes no more than 100 KB from the network", async (screen) => {
  await screen.signIn(setup.token);
  const bytes = await screen.page.evaluate(() => performance.getEntries().reduce((sum, entry) => sum + (entry.encodedBodySize ?? 0), 0));

  assert.ok(bytes > 10_000 && bytes <= 100 * 1024, `${bytes} bytes`);
});

page(
  "a form fits on a phone",
  async (screen) => {
    await screen.signIn(setup.token, "/gateway/schedules");
    await screen.press("New schedule");
    for (const kind of ["every", "cron", "at"]) {
      await screen.page.getByRole("dialog").getByLabel("When", { exact: true }).first().selectOption(kind);
      const { width, shown } = await screen.page.getByRole("dialog").evaluate((node) => ({ width: node.scrollWidth, shown: node.clientWidth }));
      assert.ok(width <= shown, `${kind}: ${width} of ${shown}`);
    }
  },
  PHONE,
);

page(
  "one hand and one column are enough on a phone",
  async (screen) => {
    await conversation(screen, "on a phone");
    await screen.say("hello from a phone");
    await screen.shows("Hello, I am here.");
    await screen.page.getByRole("link", { name: "All conversations" }).click();
    await screen.page.getByRole("searchbox").waitFor();
    await screen.page.locator(".sessions a", { hasText: "on a phone" }).click();

    await screen.field.waitFor();
  },
  PHONE,
);
