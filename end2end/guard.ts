/** Fails a test on what must not happen in a browser: console errors, hydration warnings, exceptions, CSP violations, dialogs, and frames
 * that are not as specified or out of order. */
import type { BrowserContext, Page } from "@playwright/test";
import { Order } from "./order.ts";
import { violation } from "./specification.ts";

/** How many frames and console messages the report of a failed test shows. */
const KEPT_LINES = 20;

export class Guard {
  private readonly problems: string[] = [];
  /** What was asked when the link came up may be answered after one has signed out. */
  private readonly allowed: RegExp[] = [/status of 401 .*\/fn\/(invitations|may-write)\)/];
  private readonly heard: string[] = [];

  /** Lets messages through that this test provokes itself, such as failed requests while it cuts the network. */
  allow(...patterns: RegExp[]): void {
    this.allowed.push(...patterns);
  }

  /** Watches every page of a context, those opened later too. Call it before the first page loads. */
  async watch(context: BrowserContext): Promise<void> {
    context.on("console", (message) => {
      this.note(`console ${message.type()}: ${message.text()}`);
      const hydration = message.type() === "warning" && /hydrat/i.test(message.text());
      if (message.type() === "error" || hydration) {
        this.problems.push(`${message.type()}: ${message.text()} (${message.location().url})`);
      }
    });
    context.on("weberror", (error) => this.problems.push(`exception: ${error.error().stack ?? error.error().message}`));
    context.on("dialog", async (dialog) => {
      this.problems.push(`dialog: ${dialog.message()}`);
      await dialog.dismiss();
    });
    context.on("page", (page) => this.watchSockets(page));
    context.pages().forEach((page) => this.watchSockets(page));
    // Chromium words the violations of each directive differently; the event is the same for all.
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`CSP violation: ${event.effectiveDirective} blocked ${event.blockedURI || event.sample}`);
      });
    });
  }

  private watchSockets(page: Page): void {
    page.on("websocket", (socket) => {
      const order = new Order();
      this.note(`socket opened by ${page.url()}`);
      socket.on("close", () => this.note(`socket closed of ${page.url()}`));
      const hold = (direction: "ClientFrame" | "ServerFrame", payload: string | Buffer) => {
        this.note(`${direction} ${String(payload).slice(0, 160)}`);
        const wrong = violation(direction, String(payload));
        if (wrong) this.problems.push(`not as specified: ${wrong}`);
        else if (direction === "ServerFrame") {
          const broken = order.hear(JSON.parse(String(payload)));
          if (broken) this.problems.push(`out of order: ${broken}: ${String(payload).slice(0, 300)}`);
        }
      };
      socket.on("framesent", ({ payload }) => hold("ClientFrame", payload));
      socket.on("framereceived", ({ payload }) => hold("ServerFrame", payload));
    });
  }

  private note(line: string): void {
    this.heard.push(`${new Date().toISOString()} ${line}`);
    if (this.heard.length > KEPT_LINES) this.heard.shift();
  }

  /** The newest frames and console messages, for the report of a test that failed. */
  recent(): string {
    return this.heard.join("\n");
  }

  /** What was complained about and not allowed. */
  complaints(): string[] {
    return this.problems.filter((problem) => !this.allowed.some((pattern) => pattern.test(problem)));
  }
}

/** What Chromium and the app may log while the server is away or the network is cut. */
export const NETWORK_CUT = /net::ERR_|WebSocket connection to .* failed|Failed to fetch|NetworkError/;
