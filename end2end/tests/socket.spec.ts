/** The one WebSocket of a page: opened once, offered the right way, untouched by what the page does. */
import { expect, test } from "../fixtures.ts";
import { prompts } from "../model.ts";
import { recordHandshakes } from "../sockets.ts";

test("one handshake lasts for everything a visit does (R6, R7, R26)", async ({ chat, page, sockets }) => {
  await chat.open();
  const first = await chat.askNew("assistant", prompts.markdown);
  await chat.cardIs("completed");
  await chat.newChat();
  const second = await chat.askNew("assistant", prompts.calculate);
  await chat.cardIs("completed");
  await chat.openThread(first);
  await expect(chat.answer).toContainText("Ownership");
  await chat.openThread(second);
  await expect(chat.answer).toContainText("35");
  await page.goBack();
  await expect(chat.answer).toContainText("Ownership");
  await chat.newChat();

  await chat.sidebarToggle.first().click();
  await expect(chat.sidebar).not.toBeInViewport();
  await chat.sidebarToggle.first().click();
  await expect(chat.sidebar).toBeInViewport();

  await chat.isLive();
  expect(sockets.opened).toHaveLength(1);
  expect(sockets.opened[0]!.isClosed()).toBe(false);
});

test("a reload opens one new socket, and no more (R7)", async ({ chat, page, sockets }) => {
  await chat.open();
  await page.reload();
  await chat.isLive();
  await chat.askNew("assistant", prompts.count(3));
  await chat.cardIs("completed");
  expect(sockets.opened).toHaveLength(2);
});

test("the token travels in the subprotocol and never in an address (R3, R9)", async ({ chat, context, page }) => {
  const urls: string[] = [];
  page.on("request", (request) => urls.push(request.url()));
  const handshakes = await recordHandshakes(context, page);
  await chat.open();
  await expect.poll(() => handshakes.map((handshake) => handshake.accepted)).toEqual(["netra.v1"]);
  const { url, offered } = handshakes[0]!;
  const token = offered.find((protocol) => protocol.startsWith("jwt."))?.slice("jwt.".length) ?? "";
  expect(offered).toContain("netra.v1");
  expect(token.split(".")).toHaveLength(3);
  expect(new URL(url).pathname).toBe("/ws");
  expect(new URL(url).search).toBe("");
  expect(urls.filter((address) => address.includes(token))).toEqual([]);
});

test("every frame is one JSON object with an object as payload, both ways (R4, R8)", async ({ chat, sockets }) => {
  await chat.open();
  await chat.askNew("assistant", prompts.calculate);
  await chat.cardIs("completed");
  const frames = [...sockets.sent, ...sockets.received];
  expect(sockets.messagesSent()).toHaveLength(1);
  expect(frames.length).toBeGreaterThan(5);
  for (const frame of frames) {
    expect(frame, JSON.stringify(frame)).toMatchObject({ v: 1, type: expect.any(String), id: expect.any(String) });
    expect(Object.prototype.toString.call(frame.payload), JSON.stringify(frame)).toBe("[object Object]");
    expect(Object.values(frame), `absent fields are left out: ${JSON.stringify(frame)}`).not.toContain(null);
  }
  expect(sockets.received.filter((frame) => frame.type === "error_message")).toEqual([]);
});
