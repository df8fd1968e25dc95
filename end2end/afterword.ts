/** Says last what a failed test's pages showed and what went over their links: the end of a log is what survives of it. */
import type { Reporter, TestCase, TestResult } from "@playwright/test/reporter";
import { PAGES } from "./fixtures.ts";

export default class Afterword implements Reporter {
  private readonly words: string[] = [];

  onTestEnd(test: TestCase, result: TestResult): void {
    if (result.status === test.expectedStatus) return;
    const reason = result.error?.message?.split("\n")[0] ?? result.status;
    const pages = result.attachments.find(({ name }) => name === PAGES)?.body?.toString() ?? "";
    this.words.push(`${test.title}, attempt ${result.retry + 1}: ${reason}\n${pages}`);
  }

  onEnd(): void {
    if (this.words.length > 0) console.log(this.words.join("\n\n"));
  }
}
