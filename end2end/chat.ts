/** The chat page as a person sees it: every selector of the suite is here. */
import { type Locator, type Page, expect } from "@playwright/test";

export type LinkState = "connecting" | "live" | "reconnecting" | "offline" | "unreachable" | "signed-out";
export type CardStatus = "queued" | "running" | "completed" | "stopped" | "failed";

export class Chat {
  readonly status: Locator;
  readonly retry: Locator;
  readonly composer: Locator;
  readonly agent: Locator;
  readonly examples: Locator;
  readonly title: Locator;
  readonly bubbles: Locator;
  readonly cards: Locator;
  /** The newest answer. */
  readonly card: Locator;
  readonly answer: Locator;
  readonly sidebar: Locator;
  readonly search: Locator;

  constructor(readonly page: Page) {
    this.status = page.locator(".link-status[role=status]");
    this.retry = page.locator("button.link-retry");
    this.composer = page.getByRole("textbox", { name: "Message", exact: true });
    this.agent = page.getByRole("combobox", { name: "Agent", exact: true });
    this.examples = page.locator(".welcome button.example");
    this.title = page.locator("h1.topbar-title");
    this.bubbles = page.locator("article.message-user .bubble");
    this.cards = page.locator("article.card");
    this.card = this.cards.last();
    this.answer = this.card.locator(".answer.markdown");
    this.sidebar = page.getByRole("navigation", { name: "Conversations" });
    this.search = page.getByLabel("Search conversations", { exact: true });
  }

  /** Loads a page and waits until its link is live, which also means that it is hydrated. */
  async open(path = "/"): Promise<void> {
    await this.page.goto(path);
    await this.isLive();
  }

  async isLive(timeout = 15_000): Promise<void> {
    await this.linkIs("live", timeout);
    await expect(this.status).toContainText("Live");
  }

  async linkIs(state: LinkState | RegExp, timeout?: number): Promise<void> {
    await expect(this.status).toHaveAttribute("data-state", state, { timeout });
  }

  async ask(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.composer.press("Enter");
  }

  /** Starts a thread from the home page and answers its id. */
  async askNew(agent: "assistant" | "guide", text: string): Promise<string> {
    if (new URL(this.page.url()).pathname !== "/") await this.newChat();
    await this.agent.selectOption(agent);
    await this.ask(text);
    return this.threadId();
  }

  /** The id in the address, once there is one. */
  async threadId(): Promise<string> {
    await this.page.waitForURL(/\/t\/[0-9a-f-]{36}$/);
    return new URL(this.page.url()).pathname.slice("/t/".length);
  }

  async newChat(): Promise<void> {
    await this.sidebar.getByRole("link", { name: "New chat", exact: true }).click();
    await this.page.waitForURL((url) => url.pathname === "/");
    await expect(this.examples.first()).toBeVisible();
  }

  async cardIs(status: CardStatus, timeout?: number): Promise<void> {
    await expect(this.card).toHaveAttribute("data-status", status, { timeout });
  }

  /** Text of the newest answer, with runs of white space as one space. */
  async answerText(): Promise<string> {
    return ((await this.answer.textContent()) ?? "").replace(/\s+/g, " ").trim();
  }

  /** Where the newest answer stands in the window, read in one go: an answer may be drawn anew between two reads. */
  async answerBox(): Promise<{ top: number; bottom: number; height: number }> {
    return this.page.evaluate(() => {
      const { top, bottom, height } = [...document.querySelectorAll("article.card .answer")]
        .at(-1)!
        .getBoundingClientRect();
      return { top, bottom, height };
    });
  }

  async answerGrowsBeyond(length: number): Promise<void> {
    await expect.poll(async () => (await this.answerText()).length).toBeGreaterThan(length);
  }

  /** The sidebar's entry of a thread, whatever its title. */
  thread(id: string): Locator {
    return this.sidebar.locator("li.thread-item").filter({ has: this.page.locator(`a.thread-link[href$="/t/${id}"]`) });
  }

  async openThread(id: string): Promise<void> {
    await this.thread(id).locator("a.thread-link").click();
    await this.page.waitForURL(`**/t/${id}`);
  }

  /** Presses a button that an entry shows on hover. */
  async onThread(id: string, action: "Rename" | "Pin" | "Unpin" | "Delete"): Promise<void> {
    await this.thread(id).hover();
    await this.thread(id).getByRole("button", { name: action, exact: true }).click();
  }

  async rename(id: string, title: string): Promise<void> {
    await this.onThread(id, "Rename");
    const field = this.sidebar.locator("li.thread-item").getByRole("textbox");
    await field.fill(title);
    await field.press("Enter");
  }

  /** The button that hides the sidebar, or brings it back. */
  get sidebarToggle(): Locator {
    return this.page.getByRole("button", { name: /sidebar/i });
  }

  async signOut(): Promise<void> {
    await this.page.getByRole("button", { name: "Sign out", exact: true }).click();
    await this.page.waitForURL(/\/login/);
  }
}
