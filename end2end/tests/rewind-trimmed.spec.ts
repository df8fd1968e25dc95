/** Rewind where the server has trimmed the pieces of answers. A file of its own: its server trims at once. */
import { expect, test } from "../fixtures.ts";
import { countTo, prompts } from "../model.ts";

test.use({ settings: { NETRA_TRIM_AFTER_S: "1" } });

test("where pieces were trimmed the past has whole answers, and says so (R14, R25)", async ({ chat, page }) => {
  await chat.open();
  const thread = await chat.askNew("assistant", prompts.count(20));
  await chat.cardIs("completed");
  const log = async () => {
    const answer = await page.request.get(`/api/threads/${thread}/events`);
    return (await answer.json()) as { head_seq: number; trimmed_seq?: number; events: { type: string }[] };
  };
  await expect.poll(async () => (await log()).events.map(({ type }) => type)).not.toContain("partial_result");
  const { head_seq: last, events } = await log();
  expect(events.length).toBeLessThan(last);

  await page.keyboard.press("Control+Shift+D");
  const panel = page.getByRole("region", { name: "Events", exact: true });
  const handle = panel.getByRole("slider", { name: "Point in time" });
  await expect(handle).toHaveAttribute("max", String(events.length));
  await expect(panel).toContainText(`${last - events.length} pieces of older answers were trimmed`);
  const answers = new Set<string>();
  for (let at = 0; at < events.length; at++) {
    await handle.fill(String(at));
    await expect(page.getByRole("group", { name: "Rewound" })).toBeVisible();
    await expect(handle).toHaveValue(String(at));
    answers.add((await chat.cards.locator(".answer").allTextContents()).join());
  }
  expect([...answers]).toEqual(["", countTo(20)]);
});
