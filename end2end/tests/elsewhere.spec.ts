/** Conversations that come from elsewhere, and links by which others read them (R25). */
import { expect, test } from "../fixtures.ts";

const message = (role: string, text: string) => ({
  author: { role },
  create_time: 1_600_000_000,
  content: { content_type: "text", parts: [text] },
  metadata: {},
});

test("a file of ChatGPT becomes conversations, and what was left out is told", async ({ chat, guard, page }) => {
  guard.allow(/status of 400/);
  const file = (text: string) => ({
    name: "conversations.json",
    mimeType: "application/json",
    buffer: Buffer.from(text),
  });
  await chat.open("/settings");
  const field = page.locator('.settings input[type="file"]');
  await field.setInputFiles(file("no JSON"));
  await expect(page.getByRole("alert")).toContainText("Nothing was taken in: the file is no JSON");
  const conversations = [
    {
      title: "A bird",
      create_time: 1_600_000_000,
      current_node: "b",
      mapping: {
        a: { message: message("user", "Which bird is that?"), parent: null, children: ["b"] },
        b: { message: message("assistant", "A **kingfisher**."), parent: "a", children: [] },
      },
    },
    { title: "Nothing", mapping: {} },
  ];
  await field.setInputFiles(file(JSON.stringify(conversations)));
  await expect(page.locator(".settings")).toContainText("A conversation was taken in. Left out:");
  await expect(page.getByRole("list", { name: "Left out" })).toContainText("1 × conversations without a message");
  await expect(page.getByRole("alert")).toHaveCount(0);
  await page.getByRole("list", { name: "Conversations from the file" }).getByRole("link", { name: "A bird" }).click();
  await expect(chat.bubbles).toHaveText("Which bird is that?");
  await expect(page.locator(".answer strong")).toHaveText("kingfisher");
});

test("a read-only link shows the conversation without scripts, until it is taken back", async ({
  browser,
  chat,
  page,
}) => {
  await chat.open();
  await chat.askNew("guide", "What is (2+3)*7?");
  await chat.cardIs("completed");
  await page.locator(".sharing-button").click();
  await page.getByLabel("Good for").selectOption("7");
  await page.getByRole("button", { name: "Make a link" }).click();
  const made = page.getByLabel("The new link");
  await expect(made).toHaveValue(/\/shared\//);
  const address = await made.inputValue();

  const context = await browser.newContext({ javaScriptEnabled: false });
  try {
    const reader = await context.newPage();
    await reader.goto(address);
    await expect(reader.locator(".bubble")).toHaveText("What is (2+3)*7?");
    await expect(reader.locator(".answer")).toContainText("35");
    await expect(reader.locator(".shared-about")).toContainText("This link is good until");
    const links = page.locator(".read-only-links");
    await links.getByRole("button", { name: "Take back" }).click();
    await expect(links.getByRole("button", { name: "Take back" })).toHaveCount(0);
    await reader.reload();
    await expect(reader.getByRole("heading")).toHaveText("This link leads nowhere");
  } finally {
    await context.close();
  }
});
