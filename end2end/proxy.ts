/** The network between a page and its server: a TCP relay that can be cut, fall silent, or refuse. */
import { once } from "node:events";
import { type AddressInfo, type Server as Listener, type Socket, connect, createServer } from "node:net";

/** One connection of the browser and its continuation to the server. */
interface Line {
  browser: Socket;
  server: Socket;
}

const UPGRADE = /^GET \S+ HTTP\/1\.1\r\n[\s\S]*^upgrade: websocket\r?$/im;

export class Proxy {
  /** The port of the server behind it. */
  target = 0;
  private readonly lines = new Set<Line>();
  private readonly listener: Listener;
  private port = 0;
  private silent: "no" | "down" | "both" = "no";
  private upgrades = true;

  private constructor() {
    this.listener = createServer((browser) => this.join(browser));
  }

  static async create(): Promise<Proxy> {
    const proxy = new Proxy();
    proxy.listener.listen(0, "127.0.0.1");
    await once(proxy.listener, "listening");
    proxy.port = (proxy.listener.address() as AddressInfo).port;
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Breaks every connection; new ones pass. */
  cut(): void {
    for (const { browser, server } of this.lines) {
      browser.resetAndDestroy();
      server.resetAndDestroy();
    }
    this.lines.clear();
  }

  /** Breaks every connection, and lets no new one in. */
  async refuse(): Promise<void> {
    this.cut();
    if (!this.listener.listening) return;
    const closed = once(this.listener, "close");
    this.listener.close();
    await closed;
  }

  /** Breaks WebSockets and lets none in, as some networks do; pages and requests pass. */
  async refuseSockets(): Promise<void> {
    this.upgrades = false;
    this.cut();
    await this.listen();
  }

  /**
   * Connections stay and carry nothing more, as when every packet is lost: `down` keeps what the server says from the
   * browser, `both` also the other way.
   */
  fallSilent(direction: "down" | "both"): void {
    this.silent = direction;
    for (const line of this.lines) this.flow(line);
  }

  /** Undoes everything; what was held back arrives. */
  async pass(): Promise<void> {
    this.silent = "no";
    this.upgrades = true;
    for (const line of this.lines) {
      this.flow(line);
      if (line.browser.destroyed || line.server.destroyed) this.part(line);
    }
    await this.listen();
  }

  private async listen(): Promise<void> {
    if (this.listener.listening) return;
    this.listener.listen(this.port, "127.0.0.1");
    await once(this.listener, "listening");
  }

  async close(): Promise<void> {
    await this.refuse();
  }

  private join(browser: Socket): void {
    const server = connect(this.target, "127.0.0.1");
    const line = { browser, server };
    this.lines.add(line);
    for (const [from, to] of [
      [browser, server],
      [server, browser],
    ] as const) {
      from.setNoDelay();
      from.on("data", (chunk) => {
        if (from === browser && !this.upgrades && UPGRADE.test(chunk.toString("latin1"))) this.part(line);
        else to.write(chunk);
      });
      from.on("end", () => to.end());
      from.on("error", () => from.destroy());
      // Whoever is cut off by silence does not learn that the other side has gone.
      from.on("close", () => this.silent === "no" && this.part(line));
    }
    this.flow(line);
  }

  private flow({ browser, server }: Line): void {
    if (this.silent === "both") browser.pause();
    else browser.resume();
    if (this.silent === "no") server.resume();
    else server.pause();
  }

  private part(line: Line): void {
    this.lines.delete(line);
    line.browser.destroy();
    line.server.destroy();
  }
}
