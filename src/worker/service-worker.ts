/**
 * Keeps what was last seen, for when the server is out of reach: documents of conversations, and the files that they need.
 *
 * A document comes from the server whenever the server answers, so nothing here is shown in place of what the server has. What is
 * kept belongs to one user and goes when that user does. docs/offline.md says what is kept, for how long, and why so.
 */
import { drop, forget, isFile, isImmutable, isKept, keepFile, keepSoon, learn, now } from "./kept.ts";
import { OFFLINE_FILES, find, offline } from "./instead.ts";
import { PREFIX, worker } from "./scope.ts";

/** Changes with every build. */
declare const VERSION: string;

/** What is said where nothing was kept. */
const OFFLINE = `${PREFIX}offline-${VERSION}`;
/** A server that takes longer is out of reach, if there is something to show instead. */
const PATIENCE_MS = 5_000;
/** What stands before a server says these while it is away. */
const AWAY = [502, 503, 504];

/** Documents of the application; others are the browser's own affair. */
const isDocument = (path: string) => /^\/(login|account|settings|admin(\/[^/]+)?|t\/[^/]+)?$/.test(path);

worker.addEventListener("install", (event) => {
  const fresh = OFFLINE_FILES.map((path) => new Request(path, { cache: "reload" }));
  event.waitUntil(caches.open(OFFLINE).then((cache) => cache.addAll(fresh)));
  // Nothing that a page has loaded depends on which worker is there.
  void worker.skipWaiting();
});

worker.addEventListener("activate", (event) => {
  const begin = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith(`${PREFIX}offline-`) && name !== OFFLINE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await worker.clients.claim();
  };
  event.waitUntil(begin());
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname: path } = new URL(request.url);
  if (request.method !== "GET" || origin !== worker.location.origin || request.headers.has("range")) return;
  if (request.mode === "navigate") {
    if (isDocument(path)) event.respondWith(answer(event, path));
  } else if (isImmutable(path)) {
    event.respondWith(known(request).then((file) => file ?? load(event, path)));
  } else if (isFile(path) || OFFLINE_FILES.includes(path)) {
    event.respondWith(newest(event, path));
  }
});

worker.addEventListener("message", (event) => {
  const { says, path } = event.data ?? {};
  if (says === "forget") event.waitUntil(forget());
  else if (typeof path !== "string") return;
  else if (says === "drop") event.waitUntil(drop(path));
  else if (says === "keep") event.waitUntil(keepSoon(isKept(path) ? path : "/").catch(() => {}));
});

/** The document: the server's, unless it does not come. */
async function answer(event: FetchEvent, path: string): Promise<Response> {
  const born = now();
  const fresh = fetch(event.request);
  // Copied before it is read.
  event.waitUntil(fresh.then((response) => learn(path, response.clone(), born)).catch(() => {}));
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, PATIENCE_MS));
  const first = await Promise.race([fresh.catch(() => undefined), late]);
  if (first && !AWAY.includes(first.status)) return first;
  return (await find(path).catch(() => undefined)) ?? fresh.catch(() => offline());
}

async function known(request: Request): Promise<Response | undefined> {
  return caches.match(request.url, { ignoreVary: true }).catch(() => undefined);
}

/** The server's file, unless it does not come. */
async function newest(event: FetchEvent, path: string): Promise<Response> {
  const fresh = await load(event, path).catch(() => undefined);
  if (fresh && !AWAY.includes(fresh.status)) return fresh;
  return (await known(event.request)) ?? fresh ?? Response.error();
}

async function load(event: FetchEvent, path: string): Promise<Response> {
  const response = await fetch(event.request);
  event.waitUntil(keepFile(path, response.clone()).catch(() => {}));
  return response;
}
