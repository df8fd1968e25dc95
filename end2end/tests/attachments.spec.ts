/** Files of messages: chosen, pasted and dropped, shown, kept over a reload, and refused with a sentence. */
import { deflateSync } from "node:zlib";
import { type Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";
import { kept } from "../kept.ts";

function crc(bytes: Buffer): number {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

function chunk(kind: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc(body));
  return Buffer.concat([size, body, sum]);
}

/** A picture that a browser draws. */
function png(side: number): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head.set([8, 2], 8);
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(side * 3, 0x80)]);
  const rows = deflateSync(Buffer.concat(Array.from({ length: side }, () => row)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", head), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}

const picture = { name: "cat.png", mimeType: "image/png", buffer: png(32) };
const notes = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("Buy milk.") };

const chooser = (page: Page) => page.locator("form.composer input[type=file]");
const chips = (page: Page) => page.locator("form.composer .file");
const sent = (page: Page) => page.locator("article.message-user .files-sent");

test("files go with a message, are shown, and stay over a reload", async ({ chat, page }) => {
  await chat.open();
  await chat.agent.selectOption("guide");
  await chooser(page).setInputFiles([picture, notes]);
  await expect(chips(page)).toHaveCount(2);
  await expect(chips(page).nth(0)).toHaveAttribute("data-state", "kept");
  await expect(chips(page).nth(1)).toHaveAttribute("data-state", "kept");
  await expect(chips(page).nth(1)).toContainText("9 bytes");
  await chat.composer.fill("What is 6 times 7?");
  await chat.send.click();
  await chat.threadId();
  await chat.cardIs("completed", 30_000);
  await expect(chips(page)).toHaveCount(0);
  for (const again of [false, true]) {
    if (again) await page.reload();
    await expect(sent(page).locator("img")).toHaveAttribute("alt", "cat.png");
    await expect
      .poll(() =>
        sent(page)
          .locator("img")
          .evaluate((image: HTMLImageElement) => image.naturalWidth),
      )
      .toBe(32);
    await expect(sent(page).locator("a.file-name")).toHaveText("notes.txt");
    const download = page.waitForEvent("download");
    await sent(page).locator("a.file-name").click();
    expect((await download).suggestedFilename()).toBe("notes.txt");
  }
});

/** Names of files that the browser keeps with drafts. */
const keptFiles = async (page: Page): Promise<string[]> =>
  Object.entries(await kept(page))
    .filter(([key]) => key.startsWith("draft-files."))
    .flatMap(([, lines]) => lines.split("\n").map((line) => (JSON.parse(line) as { name: string }).name));

test("chosen files stay with the draft over a reload, and are sent with it", async ({ chat, page }) => {
  await chat.open();
  await chat.agent.selectOption("guide");
  await chooser(page).setInputFiles([picture, notes]);
  await expect.poll(() => keptFiles(page)).toEqual(["cat.png", "notes.txt"]);
  await page.reload();
  await expect(chips(page)).toHaveText([/cat\.png/, /notes\.txt/]);
  await page.getByRole("button", { name: "Remove notes.txt" }).click();
  await expect.poll(() => keptFiles(page)).toEqual(["cat.png"]);
  await page.reload();
  await expect(chips(page)).toHaveText([/cat\.png/]);
  await chat.send.click();
  await chat.threadId();
  await expect(sent(page).locator("img")).toHaveAttribute("alt", "cat.png");
  await expect.poll(() => keptFiles(page)).toEqual([]);
  await chat.open();
  await expect(chips(page)).toHaveCount(0);
});

test("a file of a draft that the server has forgotten is said to be gone", async ({ chat, guard, page }) => {
  guard.allow(/status of 404/);
  await chat.open();
  const answered = page.waitForResponse((response) => response.url().includes("/api/attachments?name=notes.txt"));
  await chooser(page).setInputFiles([notes]);
  const { attachment } = (await (await answered).json()) as { attachment: { url: string } };
  await expect.poll(() => keptFiles(page)).toEqual(["notes.txt"]);
  const forgotten = await page.evaluate(async (url) => (await fetch(url, { method: "DELETE" })).status, attachment.url);
  expect(forgotten).toBe(204);
  await page.reload();
  await expect(chips(page)).toContainText("The server no longer has it");
  await expect(chat.send).toBeDisabled();
  await page.getByRole("button", { name: "Remove notes.txt" }).click();
  await expect(chips(page)).toHaveCount(0);
  await expect.poll(() => keptFiles(page)).toEqual([]);
});

test("files are pasted and dropped, removed, and sent without a word", async ({ chat, page }) => {
  await chat.open();
  for (const kind of ["paste", "drop"]) {
    await chat.composer.evaluate((field, kind) => {
      const data = new DataTransfer();
      data.items.add(new File(["from " + kind], kind + ".txt", { type: "text/plain" }));
      const event =
        kind === "paste"
          ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
          : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
      field.dispatchEvent(event);
    }, kind);
  }
  await expect(chips(page)).toHaveText([/paste\.txt/, /drop\.txt/]);
  await page.getByRole("button", { name: "Remove paste.txt" }).click();
  await expect(chips(page)).toHaveText([/drop\.txt/]);
  await expect(chips(page)).toHaveAttribute("data-state", "kept");
  await chat.send.click();
  await chat.threadId();
  await expect(sent(page).locator("a.file-name")).toHaveText("drop.txt");
  await expect(chat.title).toHaveText("drop.txt");
});

test("what is refused is said, and holds the message back until it is removed", async ({ chat, guard, page }) => {
  guard.allow(/status of 400/);
  await chat.open();
  await chooser(page).setInputFiles([{ ...picture, buffer: Buffer.from("no picture") }]);
  await expect(chips(page)).toHaveAttribute("data-state", "failed");
  await expect(chips(page)).toContainText("the file is called image/png, and its content is text/plain");
  await chat.composer.fill("Look");
  await expect(chat.send).toBeDisabled();
  await expect(page.locator("#message-hint")).toContainText("Remove it, or choose it again");
  await page.getByRole("button", { name: "Remove cat.png" }).click();
  await expect(chat.send).toBeEnabled();
  const many = Array.from({ length: 12 }, (_, at) => ({ ...notes, name: `${at}.txt` }));
  await chooser(page).setInputFiles(many);
  await expect(chips(page)).toHaveCount(10);
  await expect(page.locator("#message-hint")).toContainText("A message takes 10 files");
});

test("a message with a file that is written offline goes out once", async ({ chat, context, guard, page }) => {
  guard.allow(NETWORK_CUT);
  await chat.open();
  await chat.agent.selectOption("guide");
  await chooser(page).setInputFiles([notes]);
  await expect(chips(page)).toHaveAttribute("data-state", "kept");
  await context.setOffline(true);
  await chat.linkIs("offline");
  await chat.composer.fill("What is 6 times 7?");
  await chat.send.click();
  await chat.waiting("queued");
  await expect(sent(page).locator("a.file-name")).toHaveText("notes.txt");
  await chooser(page).setInputFiles([picture]);
  await expect(chips(page)).toContainText("the server does not answer");
  await context.setOffline(false);
  await chat.threadId();
  await chat.cardIs("completed", 45_000);
  await expect(sent(page)).toHaveCount(1);
  await expect(sent(page).locator("a.file-name")).toHaveText("notes.txt");
});
