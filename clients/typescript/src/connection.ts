// The connection as a state machine: token, socket, liveness, pauses. It has one socket at a time; what a socket that was
// given up still says changes nothing.

import { NetraError } from "./error.js";
import { between, decode } from "./frame.js";
import { newId } from "./id.js";
import { Lease } from "./lease.js";
import type { ConnectionOptions, Link, Reports } from "./link.js";
import type { ClientFrame } from "./messages.js";
import { followPage } from "./page.js";
import { afterClose, backOff, refusal } from "./retry.js";
import { Socket, webSocketClass } from "./socket.js";
import { fetchToken } from "./token.js";

/** How long a handshake may take, the `connect` frame included. */
const OPEN_TIMEOUT = 10_000;

/** Tokens that were refused within this time of each other are one fault. */
const REJECTED_LATELY = 60_000;

/** The longest that `setTimeout` waits. */
const MAX_TIMER = 2 ** 31 - 1;

type Phase = "idle" | "fetching" | "opening" | "open" | "waiting" | "offline" | "stopped";

/** The one connection of a session. */
export class Connection {
  link: Link = { state: "idle" };

  readonly #base: URL;
  readonly #options: ConnectionOptions;
  readonly #random: () => number;

  #reports!: Reports;
  #phase: Phase = "idle";
  #started: { resolve(): void; reject(error: NetraError): void; readonly done: Promise<void> } | undefined;
  #unfollow = () => {};
  #timer: ReturnType<typeof setTimeout> | undefined;

  readonly #lease = new Lease();
  #socket: Socket | undefined;
  /** Counts attempts: a late answer to an earlier one is told by it. */
  #attempt = 0;
  #failures = 0;
  /** When the server last refused a token on an open socket, and how often it did lately. */
  #rejectedAt = -Infinity;
  #rejections = 0;
  /** When the opening or the pause ends. */
  #until = Infinity;
  #retryAfter: number | undefined;

  #heardAt = 0;
  /** How long a live server is silent at most. */
  #silence = Infinity;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#base = new URL(options.url);
    if (!this.#base.pathname.endsWith("/")) this.#base.pathname += "/";
    webSocketClass(options.WebSocket);
    this.#random = options.random ?? Math.random;
  }

  /** Names who is told; to be called before `start`. */
  report(reports: Reports): void {
    this.#reports = reports;
  }

  start(): Promise<void> {
    if (this.#started) return this.#started.done;
    let [resolve, reject] = [() => {}, (_: NetraError) => {}];
    const done = new Promise<void>((...settle) => ([resolve, reject] = settle));
    // The link and each command tell of the failure too; a caller that does not wait here is not to crash.
    done.catch(() => {});
    this.#started = { resolve, reject, done };
    this.#failures = 0;
    this.#unfollow = followPage(this);
    this.#phase = "fetching";
    this.#show({ state: "connecting" });
    const attempt = ++this.#attempt;
    this.#reports.prepare().then(
      () => attempt === this.#attempt && this.#connect(),
      (error) => this.stop(new NetraError("closed", `unanswered commands cannot be read: ${String(error)}`)),
    );
    return done;
  }

  stop(error?: NetraError): void {
    if (this.#phase === "stopped") return;
    this.#lost();
    this.#phase = "stopped";
    this.#lease.drop();
    clearTimeout(this.#timer);
    this.#unfollow();
    const reason = error ?? new NetraError("closed", "the session was closed");
    this.#started?.reject(reason);
    this.#started = undefined;
    this.#show(error ? { state: "stopped", error } : { state: "stopped" });
    this.#reports.stopped(error);
  }

  wake(): void {
    this.check();
    if (this.#phase === "waiting" || this.#phase === "offline") this.#connect();
  }

  offline(): void {
    if (this.#phase === "idle" || this.#phase === "stopped") return;
    this.#lost();
    this.#phase = "offline";
    this.#show({ state: "offline" });
  }

  get isOpen(): boolean {
    return this.#phase === "open";
  }

  /** Which attempt this is; a new number means that nothing sent before is known to have arrived. */
  get attempt(): number {
    return this.#attempt;
  }

  /** The server does its work: the next failure is the first. */
  proved(): void {
    this.#failures = 0;
  }

  send(frame: ClientFrame): void {
    this.#socket?.send(frame);
  }

  /** Does what is due: a socket that is silent for too long is taken for dead. */
  check(): void {
    const time = now();
    switch (this.#phase) {
      case "open":
        if (time - this.#heardAt > this.#silence) return this.#dead();
        if (time >= this.#lease.refreshAt) this.#refresh();
        break;
      case "opening":
        if (time >= this.#until) return this.#dead();
        break;
      case "waiting":
        if (time >= this.#until) return this.#connect();
        break;
    }
    this.#schedule();
  }

  #connect(): void {
    // An attempt after failures still is one of them.
    if (this.link.state !== "reconnecting") this.#show({ state: "connecting" });
    const token = this.#lease.usable(now());
    if (token !== undefined) return this.#open(token);
    this.#phase = "fetching";
    this.#attempt += 1;
    this.#askForToken(
      (fresh) => {
        this.#lease.offer(fresh);
        this.#open(fresh);
      },
      (error) => this.#failed(error),
      this.#attempt,
    );
  }

  #askForToken(come: (token: string) => void, fail: (error: NetraError) => void, attempt: number): void {
    const { apiToken, fetch: ask = globalThis.fetch.bind(globalThis) } = this.#options;
    fetchToken(this.#base, apiToken, ask).then(
      (token) => attempt === this.#attempt && come(token),
      (error: NetraError) => attempt === this.#attempt && (error.retryable ? fail(error) : this.stop(error)),
    );
  }

  #open(token: string): void {
    this.#attempt += 1;
    this.#phase = "opening";
    this.#retryAfter = undefined;
    this.#until = now() + OPEN_TIMEOUT;
    this.#schedule();
    this.#socket = new Socket(webSocketClass(this.#options.WebSocket), this.#base, token, {
      message: (data) => this.#heard(data),
      closed: (code, reason) => this.#closed(code, reason),
    });
  }

  #closed(code: number, reason: string): void {
    const wasOpen = this.#phase === "open";
    this.#lost();
    switch (afterClose(code)) {
      case "stop":
      case "refused":
        return this.stop(refusal(code, reason));
      case "jitter":
        return this.#wait(this.#random() * (this.#retryAfter ?? 1_000));
      case "new token":
        this.#lease.drop();
        // A server that greets and then takes no token at all is not asked in a tight loop, however often it greets.
        this.#rejections = now() - this.#rejectedAt < REJECTED_LATELY ? this.#rejections + 1 : 1;
        this.#rejectedAt = now();
        if (this.#failures > 0 || this.#rejections > 1) {
          this.#failures = Math.max(this.#failures, this.#rejections - 1);
          return this.#failed();
        }
        this.#failures = 1;
        return this.#connect();
      case "back off":
        // The status of a refused handshake is hidden; a new token tells a lost sign-in from a lost server.
        if (!wasOpen) this.#lease.drop();
        return this.#failed();
    }
  }

  /** The socket is silent for too long. */
  #dead(): void {
    this.#lost();
    this.#failed();
  }

  #failed(reason = new NetraError("unreachable", `no connection to ${this.#base.origin}`, true)): void {
    this.#failures += 1;
    this.#wait(Math.max(backOff(this.#failures, this.#random), reason.retryAfterMs ?? 0), reason);
  }

  #wait(pause: number, reason?: NetraError): void {
    this.#phase = "waiting";
    this.#until = now() + pause;
    this.#schedule();
    const link = { state: "reconnecting", failures: this.#failures, retryInMs: Math.ceil(pause) } as const;
    this.#show(reason ? { ...link, reason } : link);
  }

  /** Forgets what belonged to the socket. */
  #lost(): void {
    this.#attempt += 1;
    this.#socket?.drop();
    this.#socket = undefined;
    this.#lease.lost();
    this.#reports.lost();
  }

  #heard(data: unknown): void {
    this.#heardAt = now();
    const frame = decode(data);
    if (!frame) return;
    switch (frame.type) {
      case "connect":
        this.#silence = frame.payload.heartbeat_interval_ms * 1.5 + frame.payload.heartbeat_timeout_ms;
        this.#phase = "open";
        this.#lease.taken(now(), between(frame.ts, frame.payload.token_expires_at));
        this.#schedule();
        this.#show({ state: "live" });
        this.#started?.resolve();
        return this.#reports.opened(frame);
      case "heartbeat":
        // Here, not from a timer: browsers hold back the timers of a page that is not seen.
        return this.send({ v: 1, type: "heartbeat_ack", id: newId(), reply_to: frame.id, payload: {} });
      case "disconnect":
        this.#retryAfter = frame.payload.retry_after_ms;
        return;
      case "authenticated":
        if (!this.#lease.isAnswer(frame.reply_to)) return;
        this.#lease.replaced(now(), between(frame.ts, frame.payload.token_expires_at));
        return this.#schedule();
      case "error_message":
        if (!this.#lease.isAnswer(frame.reply_to)) return this.#reports.frame(frame);
        this.#lease.retry(now(), frame.payload.retry_after_ms);
        return this.#schedule();
      default:
        this.#reports.frame(frame);
    }
  }

  #refresh(): void {
    this.#lease.refreshAt = Infinity;
    this.#askForToken(
      (token) => this.send(this.#lease.replace(token)),
      () => {
        this.#lease.retry(now());
        this.#schedule();
      },
      this.#attempt,
    );
  }

  /** One timer for whatever is due next. */
  #schedule(): void {
    clearTimeout(this.#timer);
    let due = Infinity;
    if (this.#phase === "open") due = Math.min(this.#heardAt + this.#silence + 1, this.#lease.refreshAt);
    if (this.#phase === "opening" || this.#phase === "waiting") due = this.#until;
    if (due === Infinity) return;
    this.#timer = setTimeout(() => this.check(), Math.min(Math.max(due - now(), 0), MAX_TIMER));
  }

  #show(link: Link): void {
    const before = this.link;
    this.link = link;
    if (before.state !== link.state || link.state === "reconnecting") this.#reports.link(link);
  }
}

let passed = 0;
let steady = performance.now();
let wall = Date.now();

/**
 * Milliseconds on a clock that never goes back. The steady clock may stand still while the machine sleeps, the wall clock may be
 * set: what has passed is what the one that went further says.
 */
function now(): number {
  const [newSteady, newWall] = [performance.now(), Date.now()];
  passed += Math.max(newSteady - steady, newWall - wall, 0);
  [steady, wall] = [newSteady, newWall];
  return passed;
}
