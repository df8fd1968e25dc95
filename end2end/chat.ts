/** The chat page as a person sees it: every selector of the suite is here. */
import { type Locator, type Page, expect } from "@playwright/test";

export type LinkState = "connecting" | "live" | "reconnecting" | "offline" | "unreachable" | "signed-out";
export type CardStatus = "queued" | "running" | "waiting" | "completed" | "stopped" | "failed";

export type PendingStatus = "saving" | "queued" | "unsaved" | "sent" | "failed";

export class Chat {
  readonly status: Locator;
  readonly retry: Locator;
  readonly composer: Locator;
  readonly agent: Locator;
  /** The composer's buttons: one place, two meanings. */
  readonly send: Locator;
  readonly stop: Locator;
  readonly examples: Locator;
  /** The conversation's scroll box. */
  readonly scroller: Locator;
  readonly title: Locator;
  readonly bubbles: Locator;
  readonly cards: Locator;
  /** The newest answer. */
  readonly card: Locator;
  readonly answer: Locator;
  /** What is said of each message that is not in the thread yet. */
  readonly pending: Locator;
  readonly sidebar: Locator;
  /** What was said while an answer is being written. */
  readonly queue: Locator;
  /** What was just done in the sidebar and can be taken back. */
  readonly undoing: Locator;
  readonly search: Locator;

  constructor(readonly page: Page) {
    this.status = page.locator(".link-status[role=status]");
    this.retry = page.locator("button.link-retry");
    this.composer = page.getByRole("textbox", { name: "Message", exact: true });
    this.agent = page.getByRole("combobox", { name: "Agent", exact: true });
    this.send = page.locator("form.composer").getByRole("button", { name: "Send", exact: true });
    this.stop = page.locator("form.composer").getByRole("button", { name: "Stop", exact: true });
    this.scroller = page.getByRole("region", { name: "Conversation" });
    this.examples = page.locator(".welcome button.example");
    this.title = page.locator("h1.topbar-title");
    this.bubbles = page.locator("article.message-user .bubble");
    this.cards = page.locator("article.card");
    this.card = this.cards.last();
    this.answer = this.card.locator(".answer.markdown");
    this.pending = page.locator("article.message-user .message-state");
    this.sidebar = page.getByRole("navigation", { name: "Conversations" });
    this.queue = page.getByRole("list", { name: "Waits for the answer before it" }).getByRole("listitem");
    this.undoing = this.sidebar.locator(".undoing");
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

  /** Keeps what the link says from here on; call it before the page loads. */
  async watchLink(): Promise<() => Promise<string[]>> {
    await this.page.addInitScript(() => {
      const states: string[] = [];
      Object.assign(window, { linkStates: states });
      new MutationObserver(() => {
        const state = document.querySelector(".link-status")?.getAttribute("data-state");
        if (state && state !== states.at(-1)) states.push(state);
      }).observe(document, { subtree: true, childList: true, attributeFilter: ["data-state"] });
    });
    return () => this.page.evaluate(() => (window as unknown as { linkStates: string[] }).linkStates);
  }

  /** The messages that are not in the thread yet are exactly these many, in this state. */
  async waiting(state: PendingStatus, count = 1): Promise<void> {
    await expect(this.pending).toHaveCount(count);
    for (let at = 0; at < count; at++) await expect(this.pending.nth(at)).toHaveAttribute("data-state", state);
  }

  /**
   * The conversation as it is drawn: elements with their attributes in order, and their words. Icons count by their class,
   * because the framework writes their insides differently on either side.
   */
  async conversation(): Promise<string> {
    return this.page.getByRole("log").evaluate((log) => {
      const drawn = (node: Node): string => {
        if (node instanceof Text) return node.data;
        if (!(node instanceof Element)) return "";
        const attributes = [...node.attributes].map(({ name, value }) => `${name}="${value}"`).sort();
        const inside = node instanceof SVGElement ? "" : [...node.childNodes].map(drawn).join("");
        return `<${[node.localName, ...attributes].join(" ")}>${inside}</${node.localName}>\n`;
      };
      return [...log.childNodes].map(drawn).join("");
    });
  }

  /** Nothing in the page claims that work is going on. */
  async isAtRest(): Promise<void> {
    const busy = this.page.locator(
      "[aria-busy=true], [data-streaming=true], details.thought[data-active=true], details.tool[data-status=running], li.thread-item[data-running=true]",
    );
    await expect(busy).toHaveCount(0);
    await expect(this.page.getByRole("button", { name: "Stop", exact: true })).toHaveCount(0);
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
    await expect(this.page).toHaveURL(/\/t\/[0-9a-f-]{36}$/);
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

  /** How far the conversation is from its end, in pixels. */
  async leftToEnd(): Promise<number> {
    return this.scroller.evaluate((box) => Math.round(box.scrollHeight - box.scrollTop - box.clientHeight));
  }

  /** The sidebar's entry of a thread, whatever its title. */
  thread(id: string): Locator {
    return this.sidebar.locator("li.thread-item").filter({ has: this.page.locator(`a.thread-link[href$="/t/${id}"]`) });
  }

  async openThread(id: string): Promise<void> {
    await this.thread(id).locator("a.thread-link").click();
    await this.page.waitForURL(`**/t/${id}`);
  }

  /** Deletes a thread, and waits until that can no longer be taken back. */
  async deleteThread(id: string): Promise<void> {
    await this.onThread(id, "Delete");
    await expect(this.undoing).toContainText("Deleted.");
    await expect(this.undoing).toHaveCount(0, { timeout: 20_000 });
  }

  /** As if the tab lay behind another one, or no longer did. */
  async setHidden(hidden: boolean): Promise<void> {
    await this.page.evaluate(
      (state) => {
        Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
        document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
      },
      hidden ? "hidden" : "visible",
    );
  }

  /** Presses a button that an entry shows on hover. */
  async onThread(id: string, action: "Rename" | "Pin" | "Unpin" | "Archive" | "Delete"): Promise<void> {
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
