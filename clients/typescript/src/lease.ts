// The token of the connection: until when it opens another one, and when it has to be replaced.

import { newId } from "./id.js";
import type { ClientAuthenticate } from "./messages.js";

/** A token with less life than this, in milliseconds, opens no connection. */
const MARGIN = 10_000;

/** The part of its life after which a token is replaced. */
const REFRESH_AT = 0.8;

/** The pause before a replacement that failed is tried again. */
const PAUSE = 5_000;

/** What is known of the token. */
export class Lease {
  /** When a new token is to be asked for. */
  refreshAt = Infinity;
  #text = "";
  #endsAt = 0;
  #offered: { id: string; text: string } | undefined;

  /** A token that was not seen to be taken yet. */
  offer(text: string): void {
    this.#text = text;
    this.#endsAt = 0;
  }

  /** The server took the token; `life` is what is left of it by the server's clock. */
  taken(now: number, life: number): void {
    this.#endsAt = now + life;
    this.refreshAt = now + Math.max(life * REFRESH_AT, 200);
  }

  /** The token, if it opens a connection. */
  usable(now: number): string | undefined {
    return this.#endsAt > now + MARGIN ? this.#text : undefined;
  }

  /** The token is no longer good. */
  drop(): void {
    this.#endsAt = 0;
  }

  /** The connection is gone, and with it what was asked on it. */
  lost(): void {
    this.refreshAt = Infinity;
    this.#offered = undefined;
  }

  /** The frame that replaces the connection's token. */
  replace(text: string): ClientAuthenticate {
    this.#offered = { id: newId(), text };
    return { v: 1, type: "authenticate", id: this.#offered.id, payload: { token: text } };
  }

  /** Whether a frame answers the replacement. */
  isAnswer(replyTo: string | undefined): boolean {
    return this.#offered !== undefined && this.#offered.id === replyTo;
  }

  replaced(now: number, life: number): void {
    this.#text = this.#offered?.text ?? this.#text;
    this.#offered = undefined;
    this.taken(now, life);
  }

  /** The replacement failed. */
  retry(now: number, pause = PAUSE): void {
    this.#offered = undefined;
    this.refreshAt = now + pause;
  }
}
