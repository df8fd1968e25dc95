// One WebSocket. Once it was dropped, what it still says is not heard.

import type { ClientFrame } from "./messages.js";

/** Who is told what happens on a socket. */
export interface SocketEvents {
  message(data: unknown): void;
  closed(code: number, reason: string): void;
}

/** The WebSocket class to use: the given one, else the global one. */
export function webSocketClass(given: typeof WebSocket | undefined): typeof WebSocket {
  const found = given ?? globalThis.WebSocket;
  if (!found) throw new TypeError("no WebSocket here: use Node 22, or Node 20 with --experimental-websocket");
  return found;
}

/** An open or opening socket. */
export class Socket {
  readonly #socket: WebSocket;

  constructor(Class: typeof WebSocket, base: URL, token: string, events: SocketEvents) {
    const address = new URL("ws", base);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    this.#socket = new Class(address, ["netra.v1", `jwt.${token}`]);
    let opened = false;
    this.#socket.onopen = () => {
      opened = true;
    };
    this.#socket.onmessage = ({ data }) => events.message(data);
    this.#socket.onclose = ({ code, reason }) => {
      this.#forget();
      events.closed(code, reason);
    };
    this.#socket.onerror = () => {
      // Node 20 reports a handshake that failed with `error` alone. Later errors are followed by `close` with its code.
      if (opened) return;
      this.#forget();
      events.closed(1006, "");
    };
  }

  send(frame: ClientFrame): void {
    this.#socket.send(JSON.stringify(frame));
  }

  /** Closes without waiting for the other side. */
  drop(): void {
    this.#forget();
    this.#socket.close(1000);
  }

  #forget(): void {
    this.#socket.onopen = null;
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    // Some implementations throw an error that nobody listens to.
    this.#socket.onerror = () => {};
  }
}
