/** The language model of the tests: a real OpenAI-compatible server whose answers are chosen by the user's message. */
import { type ChatCompletionRequest, LLMock } from "@copilotkit/aimock";

/** Markup that must never become an element, in every form that reaches the page. */
export const HOSTILE_HTML =
  '<img src=x onerror="window.owned=1;alert(1)"></script><script>window.owned=1;alert(1)</script><svg onload="window.owned=1;alert(1)">';

/** The same, short enough for a title. */
export const HOSTILE_TITLE = '<img src=x onerror="window.owned=1">';

const HOSTILE_MARKDOWN = [
  HOSTILE_HTML,
  "[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](data:text/html,<script>alert(1)</script>)",
  "![x](javascript:alert(1))",
  "<script>window.owned=1;alert(1)</script>",
  "<iframe srcdoc='<script>parent.owned=1</script>'></iframe>",
  `\`\`\`html" onmouseover="window.owned=1\n${HOSTILE_HTML}\n\`\`\``,
  "The end of the hostile answer.",
].join("\n\n");

/** The code in the Markdown answer, as a copy button must give it. */
export const CODE = 'fn main() {\n    println!("one & two");\n}';

const MARKDOWN = `## Ownership

Every value has **one** owner. See [the example](https://example.org/owner).

- moved once
- borrowed often

| kind | owner |
| ---- | ----- |
| move | new   |

\`\`\`rust
${CODE}
\`\`\`

That is all.`;

const SAY = "Say this:\n";

/** What to write to get each behaviour; a message only has to contain the phrase. */
export const prompts = {
  /** Headings, a list, a table, a link and one Rust code block. */
  markdown: "Show me a Markdown answer",
  /** Thinks, calls `calculate` with its arguments in pieces, and answers from the result. */
  calculate: "Work out (2+3)*7",
  /** Streams `countTo(n)`, one number every 25 ms. */
  count: (n: number) => `Count to ${n}`,
  /** Streams `paragraphs(n)`, a few words every 20 ms. */
  paragraphs: (n: number) => `Write ${n} paragraphs`,
  /** Streams one block of code with this many long lines, a piece every 25 ms. */
  code: (n: number) => `Write ${n} lines of code`,
  /** Calls the reference MCP server's tool that asks a person to fill in a form. */
  form: "Ask me what you need to know",
  /** Markup and links that try to run script. */
  hostile: "Answer with hostile Markdown",
  /** Calls `search_conversations` with markup as its query. */
  hostileTool: "Call a tool with hostile arguments",
  /** Answers with exactly this. */
  say: (answer: string) => `${SAY}${answer}`,
  /** Ends without a word. */
  nothing: "Answer with nothing",
  /** Status 500 until `Model.repair`. */
  broken: "Fail until repaired",
};

/** The whole answer to `prompts.count(n)`: four digits a number, so that every chunk is exactly one number. */
export function countTo(n: number): string {
  return Array.from({ length: n }, (_, i) => String(i + 1).padStart(4, "0")).join(" ");
}

/** The whole answer to `prompts.paragraphs(n)`. */
export function paragraphs(n: number): string {
  const sentence = "Words that fill the line until it wraps around at the edge of the column. ";
  return Array.from({ length: n }, (_, i) => `Paragraph ${i + 1}. ${sentence.repeat(3).trim()}`).join("\n\n");
}

function code(n: number): string {
  const line = (i: number) =>
    `const value${i} = "a line of code that is longer than any column is wide, so that it has to be scrolled sideways ${"=".repeat(60)}";`;
  return `Here it is:\n\n\`\`\`ts\n${Array.from({ length: n }, (_, i) => line(i)).join("\n")}\n\`\`\``;
}

function lastUserText(request: ChatCompletionRequest): string {
  const content = request.messages.findLast((message) => message.role === "user")?.content ?? "";
  return typeof content === "string" ? content : content.map((part) => part.text ?? "").join("");
}

export class Model {
  private broken = true;
  private readonly mock = new LLMock({ host: "127.0.0.1", port: 0, strict: true });

  async start(): Promise<void> {
    // Whatever is not a streamed conversation is the server asking for a title.
    this.mock.on({ predicate: (request) => !request.stream }, (request) => ({
      content: lastUserText(request).includes(prompts.hostile) ? HOSTILE_TITLE : "Scripted title",
    }));
    this.mock.onMessage(SAY, (request) => ({ content: lastUserText(request).slice(SAY.length) }), {
      chunkSize: 24,
      latency: 5,
    });
    this.mock.onMessage(prompts.nothing, { content: "" });
    this.mock.onMessage(prompts.markdown, { content: MARKDOWN }, { chunkSize: 7 });
    this.mock.on(
      { userMessage: prompts.calculate, hasToolResult: false },
      {
        reasoning: "The sum goes first, then the product.",
        toolCalls: [{ name: "calculate", arguments: '{"expression":"(2+3)*7"}' }],
      },
      { chunkSize: 3, latency: 10 },
    );
    this.mock.on({ userMessage: prompts.calculate, hasToolResult: true }, { content: "The result is 35." });
    this.mock.on(
      { userMessage: prompts.form, hasToolResult: false },
      { toolCalls: [{ name: "everything__trigger-elicitation-request", arguments: "{}" }] },
    );
    this.mock.on({ userMessage: prompts.form, hasToolResult: true }, { content: "Now I know." });
    this.mock.onMessage(
      /Count to \d+/,
      (request) => ({ content: countTo(Number(/Count to (\d+)/.exec(lastUserText(request))?.[1])) }),
      { chunkSize: 5, latency: 25 },
    );
    const asked = (request: ChatCompletionRequest, pattern: RegExp) => Number(pattern.exec(lastUserText(request))?.[1]);
    this.mock.onMessage(/Write \d+ paragraphs/, (request) => ({ content: paragraphs(asked(request, /Write (\d+)/)) }), {
      chunkSize: 60,
      latency: 20,
    });
    this.mock.onMessage(/Write \d+ lines of code/, (request) => ({ content: code(asked(request, /Write (\d+)/)) }), {
      chunkSize: 40,
      latency: 25,
    });
    this.mock.onMessage(prompts.hostile, { reasoning: HOSTILE_HTML, content: HOSTILE_MARKDOWN }, { chunkSize: 16 });
    this.mock.on(
      { userMessage: prompts.hostileTool, hasToolResult: false },
      { toolCalls: [{ name: "search_conversations", arguments: JSON.stringify({ query: HOSTILE_HTML }) }] },
      { chunkSize: 5 },
    );
    this.mock.on({ userMessage: prompts.hostileTool, hasToolResult: true }, { content: "The tool has been called." });
    this.mock.onMessage(prompts.broken, () =>
      this.broken
        ? { error: { message: "the model is out of order", type: "server_error" }, status: 500 }
        : { content: "Repaired." },
    );
    await this.mock.start();
  }

  /** Base URL of the OpenAI-compatible API. */
  get url(): string {
    return `${this.mock.url}/v1`;
  }

  /** Bodies of the streamed requests so far, oldest first. */
  requests(): ChatCompletionRequest[] {
    return this.mock
      .getRequests()
      .map((entry) => entry.body as ChatCompletionRequest | null)
      .filter((body): body is ChatCompletionRequest => body?.stream === true);
  }

  /** `prompts.broken` is answered from here on. */
  repair(): void {
    this.broken = false;
  }

  /** Forgets the requests of the test before, and breaks what it repaired. */
  reset(): void {
    this.broken = true;
    this.mock.clearRequests();
  }

  async stop(): Promise<void> {
    await this.mock.stop();
  }
}
