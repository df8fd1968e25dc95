// An OpenAI-compatible server that writes slowly, so that a test can act while a run works.

import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** Answers with `pieces` pieces, one every `pauseMs`. Returns the variables that connect a Netra server to it. */
export async function startModel(context, { pieces, pauseMs }) {
  const server = createServer(async (request, response) => {
    request.resume();
    await once(request, "end");
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (delta, finish_reason = null) => {
      const chunk = { id: "1", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] };
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    };
    send({ role: "assistant" });
    for (let piece = 1; piece <= pieces && !response.destroyed; piece += 1) {
      send({ content: `word${piece} ` });
      await sleep(pauseMs);
    }
    send({}, "stop");
    response.end("data: [DONE]\n\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    NETRA_LLM_BASE_URL: `http://127.0.0.1:${server.address().port}/v1`,
    NETRA_LLM_API_KEY: "not-a-key",
    NETRA_LLM_MODEL: "slow",
  };
}

/** What such a model writes. */
export function textOf(pieces) {
  return Array.from({ length: pieces }, (_, index) => `word${index + 1} `).join("");
}
