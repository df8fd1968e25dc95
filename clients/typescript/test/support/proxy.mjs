// A TCP proxy whose connections the test can cut and whose port it can close.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Proxy {
  #sockets = new Set();
  #listener;

  static async start(context, target) {
    const proxy = new Proxy();
    proxy.#listener = createServer((near) => proxy.#join(near, connect(target, "127.0.0.1")));
    await proxy.open();
    context.after(() => proxy.close());
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends every connection at once, without a word. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Passes nothing on over the connections of now, and leaves them open. */
  silence() {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** Takes connections, on the port of before if there was one. */
  async open() {
    this.#listener.listen(this.port ?? 0, "127.0.0.1");
    await once(this.#listener, "listening");
    this.port = this.#listener.address().port;
  }

  /** Cuts, and takes no connections. */
  close() {
    if (this.#listener.listening) this.#listener.close();
    this.cut();
  }

  #join(near, far) {
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      this.#sockets.add(one);
      one.pipe(other);
      // A reset is what these tests are about.
      one.on("error", () => {});
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
