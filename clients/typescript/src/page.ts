// In a browser, timers sleep with the page: look at the connection again when the page or the network comes back.

/** What the page tells a session. */
export interface PageEvents {
  wake(): void;
  offline(): void;
}

/** Listens until the returned function is called. Outside a browser it does nothing. */
export function followPage(session: PageEvents): () => void {
  if (typeof window === "undefined" || typeof document === "undefined") return () => {};
  const controller = new AbortController();
  const { signal } = controller;
  const wake = () => {
    if (document.visibilityState === "visible") session.wake();
  };
  document.addEventListener("visibilitychange", wake, { signal });
  window.addEventListener("pageshow", () => session.wake(), { signal });
  window.addEventListener("online", () => session.wake(), { signal });
  window.addEventListener("offline", () => session.offline(), { signal });
  return () => controller.abort();
}
