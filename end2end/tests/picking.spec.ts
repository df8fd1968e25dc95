/** Several conversations at once: chosen by mouse and by keyboard, put away, deleted, marked as read, and taken back. */
import { Chat } from "../chat.ts";
import { expect, test } from "../fixtures.ts";

test.beforeEach(async ({ chat, page }) => {
  for (let at = 0; at < 6; at++) {
    expect((await page.request.post("/api/threads", { data: { title: `Thread ${at}` } })).status()).toBe(201);
  }
  await chat.open();
});

const rows = (chat: Chat) => chat.sidebar.locator("a.thread-link");
const picks = (chat: Chat) => chat.sidebar.getByRole("option");
const press = (chat: Chat, name: string) => chat.sidebar.getByRole("button", { name, exact: true }).click();

test("a range is chosen with Shift, archived at once in every tab, and taken back (R25)", async ({ chat, context }) => {
  const other = new Chat(await context.newPage());
  await other.open();
  await press(chat, "Select");
  await picks(chat).nth(1).click();
  await picks(chat)
    .nth(3)
    .click({ modifiers: ["Shift"] });
  await expect(chat.sidebar.getByText("3 selected")).toBeVisible();
  await press(chat, "Archive");
  await expect(chat.undoing).toContainText("3 conversations archived");
  for (const tab of [chat, other]) await expect(rows(tab)).toHaveCount(3);
  await chat.undoing.getByRole("button", { name: /^Undo/ }).click();
  for (const tab of [chat, other]) await expect(rows(tab)).toHaveCount(6);
});

test("the keyboard chooses and deletes, and that waits (R25)", async ({ chat, page }) => {
  await press(chat, "Select");
  await expect(chat.sidebar.getByRole("listbox")).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Shift+ArrowDown");
  await expect(chat.sidebar.getByText("2 selected")).toBeVisible();
  await page.keyboard.press("Delete");
  await expect(chat.undoing).toContainText("2 conversations deleted");
  await expect(rows(chat)).toHaveCount(4);
  const left = async () => (await (await page.request.get("/api/threads")).json()).threads.length;
  expect(await left()).toBe(6);
  await expect.poll(left, { timeout: 20_000 }).toBe(4);
  await expect(chat.undoing).toHaveCount(0);
  await expect(rows(chat)).toHaveCount(4);
});

test("all or none, and nothing without a choice (R25)", async ({ chat, page }) => {
  await press(chat, "Select");
  await expect(chat.sidebar.getByRole("button", { name: "Delete", exact: true })).toBeDisabled();
  await page.keyboard.press("Control+a");
  await expect(chat.sidebar.getByText("6 selected")).toBeVisible();
  await press(chat, "All or none");
  await expect(chat.sidebar.getByText("None selected")).toBeVisible();
  await page.keyboard.press("Tab");
  await press(chat, "All or none");
  await press(chat, "Mark as read");
  await expect(rows(chat)).toHaveCount(6);
  await expect(chat.sidebar.getByRole("button", { name: "Select", exact: true })).toBeFocused();
});
