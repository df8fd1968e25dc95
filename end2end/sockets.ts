/** What crosses the WebSockets of a page, as the browser saw it. */
import { type BrowserContext, type Page, type WebSocket, expect } from "@playwright/test";

/** The envelope of `netra.v1`. */
export interface Frame {
  v: number;
  type: string;
  id: string;
  ts?: string;
  thread_id?: string;
  run_id?: string;
  epoch?: string;
  seq?: number;
  reply_to?: string;
  payload: Record<string, unknown>;
}

export const CRITICAL_EVENTS = [
  "agent_started",
  "agent_thinking",
  "tool_executing",
  "tool_completed",
  "agent_completed",
] as const;

/** Records every socket of a page. Make it before the page loads. */
export class SocketLog {
  readonly opened: WebSocket[] = [];
  readonly sent: Frame[] = [];
  readonly received: Frame[] = [];

  constructor(page: Page) {
    page.on("websocket", (socket) => {
      this.opened.push(socket);
      socket.on("framesent", ({ payload }) => this.sent.push(JSON.parse(String(payload)) as Frame));
      socket.on("framereceived", ({ payload }) => this.received.push(JSON.parse(String(payload)) as Frame));
    });
  }

  /** Resolves with the first frame received of this type. */
  async first(type: string): Promise<Frame> {
    await expect.poll(() => this.received.map((frame) => frame.type), `a ${type} frame`).toContain(type);
    return this.received.find((frame) => frame.type === type)!;
  }

  /** Commands that make an agent work. */
  messagesSent(): Frame[] {
    return this.sent.filter(({ type }) => type === "user_message" || type === "start_agent");
  }
}

export interface Handshake {
  url: string;
  offered: string[];
  accepted: string | undefined;
}

function header(headers: Record<string, string>, name: string): string | undefined {
  return Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
}

/** The handshakes of a page with their headers, which Playwright's own `websocket` event does not tell. */
export async function recordHandshakes(context: BrowserContext, page: Page): Promise<Handshake[]> {
  const handshakes = new Map<string, Handshake>();
  const list: Handshake[] = [];
  const devtools = await context.newCDPSession(page);
  devtools.on("Network.webSocketCreated", ({ requestId, url }) => {
    const handshake = { url, offered: [], accepted: undefined };
    handshakes.set(requestId, handshake);
    list.push(handshake);
  });
  devtools.on("Network.webSocketWillSendHandshakeRequest", ({ requestId, request }) => {
    const handshake = handshakes.get(requestId);
    const offered = header(request.headers, "sec-websocket-protocol");
    if (handshake && offered) handshake.offered = offered.split(",").map((protocol) => protocol.trim());
  });
  devtools.on("Network.webSocketHandshakeResponseReceived", ({ requestId, response }) => {
    const handshake = handshakes.get(requestId);
    if (handshake) handshake.accepted = header(response.headers, "sec-websocket-protocol");
  });
  await devtools.send("Network.enable");
  return list;
}
