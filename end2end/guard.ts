/** Fails a test on what must not happen in a browser: console errors, hydration warnings, exceptions, CSP violations, dialogs. */
import type { BrowserContext } from "@playwright/test";

export class Guard {
  private readonly problems: string[] = [];
  private readonly allowed: RegExp[] = [];

  /** Lets messages through that this test provokes itself, such as failed requests while it cuts the network. */
  allow(...patterns: RegExp[]): void {
    this.allowed.push(...patterns);
  }

  /** Watches every page of a context, those opened later too. Call it before the first page loads. */
  async watch(context: BrowserContext): Promise<void> {
    context.on("console", (message) => {
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
    // Chromium words the violations of each directive differently; the event is the same for all.
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`CSP violation: ${event.effectiveDirective} blocked ${event.blockedURI || event.sample}`);
      });
    });
  }

  /** What was complained about and not allowed. */
  complaints(): string[] {
    return this.problems.filter((problem) => !this.allowed.some((pattern) => pattern.test(problem)));
  }
}

/** What Chromium and the app may log while the server is away or the network is cut. */
export const NETWORK_CUT = /net::ERR_|WebSocket connection to .* failed|Failed to fetch|NetworkError/;
