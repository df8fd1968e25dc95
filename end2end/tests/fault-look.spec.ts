/** How it looks when things go wrong: every state of a message and of the link, in both colour schemes and on a phone. */
import AxeBuilder from "@axe-core/playwright";
import { expect, test, throughProxy } from "../fixtures.ts";
import { NETWORK_CUT } from "../guard.ts";
import { prompts } from "../model.ts";
import { WITHOUT_MODEL } from "../server.ts";

const BACK_MS = 45_000;

const SCREENS = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 800 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 800 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 } },
} as const;

test.describe.configure({ timeout: 120_000 });

for (const [name, screen] of Object.entries(SCREENS)) {
  test.describe(name, () => {
    test.use({ ...throughProxy, ...screen, contextOptions: { reducedMotion: "reduce" } });

    test("queued, failed, reconnecting and unreachable can be read and used by everyone (R6, R20, R25)", async ({
      chat,
      guard,
      network,
      page,
      server,
    }, testInfo) => {
      guard.allow(NETWORK_CUT);
      /** Takes a picture of a state, which fits the window and obeys the accessibility rules. */
      const look = async (state: string) => {
        const path = testInfo.outputPath(`${state}-${name}.png`);
        await page.screenshot({ path, animations: "disabled" });
        await testInfo.attach(`${state}-${name}`, { path, contentType: "image/png" });
        const { violations } = await new AxeBuilder({ page }).analyze();
        const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
        expect(
          serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`),
        ).toEqual([]);
        const { scrollWidth, clientWidth } = await page.evaluate(() => document.documentElement);
        expect(scrollWidth).toBe(clientWidth);
      };
      await page.goto("/");
      await chat.linkIs("live", 15_000);
      await chat.agent.selectOption("assistant");
      await chat.ask(prompts.count(2_000));
      await chat.answerGrowsBeyond(100);

      await network.refuseSockets();
      await chat.linkIs(/^(reconnecting|unreachable)$/);
      await chat.ask(prompts.calculate);
      await chat.waiting("queued");
      await look("queued-and-reconnecting");
      await chat.linkIs("unreachable", BACK_MS);
      await look("queued-and-unreachable");
      await expect(chat.retry).toBeInViewport({ ratio: 1 });

      await server.kill();
      await server.start(WITHOUT_MODEL);
      await network.pass();
      await chat.isLive(BACK_MS);
      await chat.waiting("failed");
      await expect(chat.pending.getByRole("button", { name: "retry" })).toBeInViewport({ ratio: 1 });
      await look("failed");

      await page.context().setOffline(true);
      await chat.linkIs("offline");
      await look("offline");
      await server.kill();
    });
  });
}
