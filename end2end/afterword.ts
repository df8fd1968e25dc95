/**
 * Says last what a failed test's pages showed and what went over their links, and after that, in a line each, which tests failed:
 * the end of a log is what survives of it.
 */
import type { FullConfig, Reporter, TestCase, TestResult } from "@playwright/test/reporter";
import { PAGES } from "./fixtures.ts";

/** Characters of a line of what pages showed, and of a failed test's reason in the list at the end. */
const LINE = 200;

const escapes = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

export default class Afterword implements Reporter {
  private readonly words: string[] = [];
  private readonly failures: string[] = [];
  private readonly skipped = new Set<string>();
  private root = "";

  onBegin(config: FullConfig): void {
    this.root = config.rootDir;
  }

  onTestEnd(test: TestCase, result: TestResult): void {
    if (result.status === "skipped") {
      const why = test.annotations.find(({ type }) => type === "skip")?.description;
      if (why) this.skipped.add(`${test.parent.project()?.name}, skipped: ${why}`);
    }
    if (result.status === test.expectedStatus) return;
    const reasons = (result.error?.message ?? result.status).replace(escapes, "").split("\n");
    const pages = result.attachments.find(({ name }) => name === PAGES)?.body?.toString() ?? "";
    const shown = pages.split("\n").map((line) => line.slice(0, LINE));
    this.words.push(`${test.title}, attempt ${result.retry + 1}: ${reasons[0]}\n${shown.join("\n")}`);
    const file = test.location.file.replace(`${this.root}/`, "");
    const at = result.error?.location?.line ?? test.location.line;
    const reason = reasons.filter((line) => line.trim() !== "").slice(0, 4);
    this.failures.push(
      `${file}:${at} ${test.title}, attempt ${result.retry + 1}: ${reason.join(" ").slice(0, 2 * LINE)}`,
    );
  }

  onEnd(): void {
    for (const why of this.skipped) console.log(why);
    if (this.words.length === 0) return;
    console.log(this.words.join("\n\n"));
    console.log(["", "Failed attempts:", ...this.failures].join("\n"));
  }
}
