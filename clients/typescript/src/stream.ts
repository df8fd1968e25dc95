// A watched thread as an async iterator.

import type { NetraError } from "./error.js";
import type { ServerFrame } from "./messages.js";
import type { Watcher } from "./subscriptions.js";

/** Frames as they come. What the loop has not taken yet waits in memory; leaving the loop stops watching. */
export async function* follow(watch: (watcher: Watcher) => () => void): AsyncGenerator<ServerFrame, void, void> {
  const waiting: ServerFrame[] = [];
  let ended = false;
  let failure: NetraError | undefined;
  let notify = () => {};
  const stop = watch({
    frame(frame) {
      waiting.push(frame);
      notify();
    },
    end(error) {
      ended = true;
      failure = error;
      notify();
    },
  });
  try {
    for (;;) {
      for (let frame = waiting.shift(); frame; frame = waiting.shift()) yield frame;
      if (failure) throw failure;
      if (ended) return;
      await new Promise<void>((resolve) => {
        notify = resolve;
      });
    }
  } finally {
    stop();
  }
}
