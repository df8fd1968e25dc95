/** Prints what the benches measured, each figure beside its budget. */
import type { Reporter, TestCase, TestResult } from "@playwright/test/reporter";

export default class Figures implements Reporter {
  onTestEnd(test: TestCase, result: TestResult): void {
    if (result.status !== "passed") console.log(`${test.title}: ${result.error?.message ?? result.status}`);
    for (const { type, description } of test.annotations) console.log(`${type.padEnd(58)} ${description}`);
  }
}
