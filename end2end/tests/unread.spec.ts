/** What a page cannot read of the server is no silence: the server is told, by code and within a rate, and counts it. */
import { expect, test } from "../fixtures.ts";

test("a page tells the server what it cannot read", async ({ chat, guard, page, server }) => {
  guard.allow(/a frame could not be read|not as specified/);
  const reports: string[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/api/unread")) reports.push(request.postData() ?? "");
  });
  const strange = [
    { v: 1, type: "from_the_future", id: crypto.randomUUID(), ts: new Date().toISOString(), payload: {} },
    { v: 1, type: "from_the_future", id: crypto.randomUUID(), ts: new Date().toISOString(), payload: {} },
    { v: 1, type: "broadcast", id: crypto.randomUUID(), ts: new Date().toISOString(), payload: { level: 7 } },
  ];
  await page.routeWebSocket(/\/ws$/, (client) => {
    const upstream = client.connectToServer();
    upstream.onMessage((message) => {
      client.send(message);
      if (JSON.parse(String(message)).type === "connect")
        for (const frame of strange) client.send(JSON.stringify(frame));
    });
  });
  await chat.open();
  await expect.poll(() => reports.length).toBeGreaterThan(0);
  expect(JSON.parse(reports[0]!)).toEqual({ code: "unknown_type", frames: 1 });
  // The rest waits for its turn: three strange frames are one report, and not three.
  expect(reports).toHaveLength(1);
  const log = () => server.log().includes("a page cannot read frames");
  await expect.poll(log, { message: "the server says so" }).toBe(true);
  // The page goes on.
  await chat.askNew("guide", "What is 6 times 7?");
  await chat.cardIs("completed");
});
