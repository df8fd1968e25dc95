/** The protocol's reference at `/docs`: readable on a desk and on a phone. */
import { expect, test } from "../fixtures.ts";

for (const width of [320, 390, 768, 1280]) {
  test(`no text of /docs is squeezed at ${width} pixels`, async ({ page, server }) => {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(`${server.url}/docs`);
    await expect(page.getByRole("heading", { level: 1 })).toContainText("netra.v1");
    const found = await page.evaluate(() => {
      const cells = [...document.querySelectorAll("td")].filter((cell) => cell.textContent && cell.offsetParent);
      // A word of a sentence fits into its column.
      const narrow = cells.filter((cell) => cell.textContent!.length > 20 && cell.clientWidth < 90);
      return {
        cells: cells.length,
        narrow: narrow.map((cell) => `${cell.clientWidth}: ${cell.textContent}`),
        sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      };
    });
    expect(found.cells).toBeGreaterThan(100);
    expect(found.narrow).toEqual([]);
    expect(found.sideways).toBe(0);
  });
}

test("on a phone each cell says what it is", async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 800 });
  await page.goto(`${server.url}/docs`);
  const label = await page
    .locator('td[data-name="answers"]')
    .first()
    .evaluate((cell) => getComputedStyle(cell, "::before").content);
  expect(label).toContain("answers");
});
