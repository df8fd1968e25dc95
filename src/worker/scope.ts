/** What the worker's files share. */
export const worker = self as unknown as ServiceWorkerGlobalScope;

export const SCRIPT = "/service-worker.js";

/** What the names of all its caches begin with. */
export const PREFIX = "netra-";
