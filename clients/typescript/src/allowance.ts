// The client's side of the server's rate limit: a bucket like the server's own, a little smaller, so that a client with
// much to say waits instead of being refused.

/** The part of the limit that is used: a few frames are sent whatever happens, and the clocks differ. */
const SHARE = 0.9;

const MINUTE = 60_000;

/** How many frames may be sent on a connection. */
export class Allowance {
  readonly #capacity: number;
  #left: number;
  #at: number;

  constructor(now: number, perMinute: number) {
    this.#capacity = Math.max(perMinute * SHARE, 1);
    this.#left = this.#capacity;
    this.#at = now;
  }

  /** Takes one frame's worth; otherwise returns how many milliseconds to wait for it. */
  take(now: number): number {
    const passed = Math.max(now - this.#at, 0);
    this.#left = Math.min(this.#left + (passed * this.#capacity) / MINUTE, this.#capacity);
    this.#at = Math.max(this.#at, now);
    if (this.#left >= 1) {
      this.#left -= 1;
      return 0;
    }
    return Math.max(Math.ceil(((1 - this.#left) * MINUTE) / this.#capacity), 1);
  }
}
