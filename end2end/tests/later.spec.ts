/** A page that meets a newer server shows what it says to the end, and offers to be loaded anew. */
import { readFileSync } from "node:fs";
import { expect, test } from "../fixtures.ts";
import type { Frame } from "../sockets.ts";

const recording = readFileSync(new URL("../../tests/compatibility/later.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n");
const recorded = { thread: "019a6f00-0000-7000-8000-000000000001", epoch: "5f3a9c01" };

test("statuses, roles, levels, codes and kinds that the page does not know are shown as unknown", async ({
  context,
  chat,
  page,
}) => {
  const made = await context.request.post("/api/threads", { data: { title: "A later server" } });
  const { id: thread } = (await made.json()) as { id: string };
  const frames = (epoch: string) =>
    recording.map(
      (line) => JSON.parse(line.replaceAll(recorded.thread, thread).replaceAll(recorded.epoch, epoch)) as Frame,
    );

  let later = true;
  await page.routeWebSocket(/\/ws$/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => {
      const asked = JSON.parse(String(message)) as Frame;
      if (!later || asked.type !== "subscribe" || asked.thread_id !== thread) return server.send(message);
      for (const frame of frames(String(asked.payload["epoch"] ?? recorded.epoch))) {
        if (frame.type === "connect") continue;
        if (frame.type === "subscribed") frame.reply_to = asked.id;
        socket.send(JSON.stringify(frame));
      }
    });
    server.onMessage((message) => {
      const frame = JSON.parse(String(message)) as Frame;
      if (later && frame.type === "connect") {
        frame.payload["server_version"] = "9.0.0";
        frame.payload["user"] = { ...(frame.payload["user"] as object), role: "auditor" };
      }
      socket.send(JSON.stringify(frame));
    });
  });

  await chat.open(`/t/${thread}`);
  await expect(chat.cards).toHaveCount(2);
  const [first, second] = [chat.cards.nth(0), chat.cards.nth(1)];
  await expect(first).toHaveAttribute("data-status", "unknown");
  await expect(first).toHaveAttribute("aria-busy", "false");
  await expect(first).toContainText("Unknown status: handed_over");
  await expect(first).toContainText("Dusty, minus 60 degrees.");
  await expect(first).toContainText("Unknown: postponed");
  await expect(first).toContainText("Unknown step");
  await expect(first).toContainText("doodle");
  await expect(page.getByText("Meanwhile, on Earth.")).toBeVisible();
  await expect(page.getByText("unknown role: narrator")).toBeVisible();
  await expect(second).toHaveAttribute("data-status", "completed");
  await expect(second).toContainText("Still brewing.");
  await second.getByRole("button", { name: "Earlier answer" }).click();
  await expect(second).toHaveAttribute("data-status", "failed");
  await expect(second).toContainText("out_of_tea");
  await expect(page.getByText("A word of a level that is not known.")).toBeVisible();

  const offer = page.locator(".banner.outdated");
  await expect(offer).toContainText("newer than this page");
  later = false;
  await offer.getByRole("button", { name: "Reload" }).click();
  await expect(offer).toHaveCount(0);
  await chat.isLive();
  await expect(page).toHaveURL(new RegExp(`/t/${thread}$`));
  await expect(chat.cards).toHaveCount(0);
});
