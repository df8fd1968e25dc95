/** What is kept: documents of one user, and the files of the page, within bounds. */
import { PREFIX, SCRIPT, worker } from "./scope.ts";

/** The documents of one user; the user's id follows. */
const PAGES = `${PREFIX}pages-`;
/** The page's files. They are the same for everybody. */
const FILES = `${PREFIX}files`;

const MOST_PAGES = 30;
/** In characters. */
const MOST_ROOM = 20 << 20;
export const LONGEST_MS = 14 * 24 * 3_600_000;
/** Builds whose files are kept: a document needs those that it came with. */
const MOST_BUILDS = 2;
/** Changes that follow each other so closely are kept once. */
const PAUSE_MS = 1_000;
/** How old the list of conversations may be. */
const LIST_MS = 30_000;
const DAY_MS = 24 * 3_600_000;

/** Documents that are kept: conversations, and the page of a new one. */
export const isKept = (path: string) => /^\/(t\/[0-9a-f-]{36})?$/.test(path);
/** Files whose address names what they hold. */
export const isImmutable = (path: string) => /^\/pkg\/[0-9a-f]{12}\/[\w.-]+$/.test(path);
/** Files that may change under their address: the server is asked first. */
export const isFile = (path: string) => /^\/(pkg\/[\w.-]+|rich\/[\w./-]+)$/.test(path);

/** What the document carries for the program. */
const BOOT = /<script [^>]*id="netra-boot"[^>]*>(.*?)<\/script>/s;

/** Counts how often everything was forgotten: what was on its way then is not kept any more. */
let forgotten = 0;
/** The server has no worker any more. */
let hasLeft = false;
/** The build of the newest document. */
let build: string | undefined;
/** How often each document was to be kept. */
const turns = new Map<string, number>();

/** To be handed to `learn` with what was asked for from here on. */
export const now = () => forgotten;

const remove = (name: string) => caches.delete(name);

/** Keeps a document, or forgets what it shows to be somebody else's. */
export async function learn(path: string, response: Response, born: number): Promise<void> {
  if (response.status === 401) return forget();
  const isHtml = response.headers.get("content-type")?.startsWith("text/html");
  if (![200, 404].includes(response.status) || response.redirected || !isHtml) return;
  const text = await response.text();
  const boot = JSON.parse(BOOT.exec(text)?.[1] ?? "null");
  if (!boot) return;
  // Nobody is signed in here.
  if (!boot.user) return forget();
  if (response.status === 404) return drop(path);
  if (born !== forgotten) return;
  const name = PAGES + boot.user.id;
  const others = (await caches.keys()).filter((other) => other.startsWith(PAGES) && other !== name);
  await Promise.all(others.map(remove));
  // Without anything that people wrote.
  const head = text.slice(0, text.indexOf("</head>")).replace(BOOT, "");
  const from = /\/pkg\/([0-9a-f]{12})\//.exec(head)?.[1] ?? "";
  if (build !== from) {
    build = from;
    await leaveIfGone();
  }
  // A conversation that is too large for a document comes over the socket.
  if (!isKept(path) || (path !== "/" && !boot.thread) || born !== forgotten) return;

  const headers = new Headers(response.headers);
  for (const name of ["content-encoding", "content-length"]) headers.delete(name);
  const listed: string[] = boot.threads.threads.map(({ id }: { id: string }) => id).sort();
  const notes = {
    kept: Date.now(),
    room: text.length,
    build: from,
    // Another one when a conversation comes or goes.
    list: `${listed.length} ${listed.at(-1)}`,
    title: encodeURIComponent(boot.thread?.thread.title || "Untitled"),
  };
  for (const [name, note] of Object.entries(notes)) headers.set(`x-netra-${name}`, String(note));
  // The token is of no use later, and nobody else's affair. Only it is replaced: numbers do not come through JavaScript whole.
  const page = new Response(text.replace(/"token":\{[^}]*\}/, '"token":null'), { headers });
  const cache = await caches.open(name);
  await cache.put(path, page);
  if (born !== forgotten) {
    await remove(name);
    return;
  }
  await gather(head);
  await prune(cache);
  if (path === "/" && !boot.threads.next) await recheck(cache, listed);
}

/** Keeps a file of the page. */
export async function keepFile(path: string, response: Response): Promise<void> {
  if (response.status !== 200 || response.redirected || !(isImmutable(path) || isFile(path)) || hasLeft) return;
  await (await caches.open(FILES)).put(path, response);
  if (hasLeft) await remove(FILES);
}

/** The files that a document's head names; those that are kept are not loaded again. */
async function gather(head: string): Promise<void> {
  const cache = await caches.open(FILES);
  for (const path of new Set(head.match(/(?<=["' ])\/pkg\/[\w./-]+(?=["' ])/g))) {
    if (isImmutable(path) && (await cache.match(path, { ignoreVary: true }))) continue;
    await keepFile(path, await fetch(path));
  }
}

/** A document with what is noted of it. */
export interface Entry {
  path: string;
  response: Response;
  kept: number;
  note: (name: "room" | "build" | "title") => string;
}

/** What is kept, the newest first. */
export async function entries(cache: Cache): Promise<Entry[]> {
  const all = (await cache.keys()).map(async (request) => {
    const response = (await cache.match(request, { ignoreVary: true }))!;
    const note = (name: string) => response.headers.get(`x-netra-${name}`) ?? "";
    return { path: new URL(request.url).pathname, response, kept: Number(note("kept")), note };
  });
  return (await Promise.all(all)).sort((a, b) => b.kept - a.kept);
}

/** Keeps to the bounds. */
async function prune(cache: Cache): Promise<void> {
  const builds = new Set<string>();
  let room = 0;
  for (const [at, { path, kept, note }] of (await entries(cache)).entries()) {
    room += Number(note("room"));
    const fits = at < MOST_PAGES && room <= MOST_ROOM && Date.now() - kept < LONGEST_MS;
    if (fits && (builds.has(note("build")) || builds.size < MOST_BUILDS)) builds.add(note("build"));
    else await cache.delete(path, { ignoreVary: true });
  }
  const files = await caches.open(FILES);
  for (const request of await files.keys()) {
    const path = new URL(request.url).pathname;
    if (isImmutable(path) && !builds.has(path.split("/")[2]!)) await files.delete(request, { ignoreVary: true });
  }
}

/** Conversations that the list does not have may be gone; they are looked for once a day. */
async function recheck(cache: Cache, listed: string[]): Promise<void> {
  for (const { path, kept } of await entries(cache)) {
    const isListed = path === "/" || listed.some((id) => path === `/t/${id}`);
    if (!isListed && Date.now() - kept > DAY_MS) await renew(path);
  }
}

/** Keeps a document no longer. */
export async function drop(path: string): Promise<void> {
  await (await own())?.delete(path, { ignoreVary: true });
}

/** Keeps no documents any more. */
export async function forget(): Promise<void> {
  forgotten++;
  await Promise.all((await caches.keys()).filter((name) => name.startsWith(PAGES)).map(remove));
}

/** The documents of whoever was here last. */
export async function own(): Promise<Cache | undefined> {
  const name = (await caches.keys()).find((name) => name.startsWith(PAGES));
  return name === undefined ? undefined : caches.open(name);
}

/** Keeps a document as it is in a moment, and the list with it. */
export async function keepSoon(path: string): Promise<void> {
  const turn = (turns.get(path) ?? 0) + 1;
  turns.set(path, turn);
  // Those who watch one conversation do not all ask at once.
  const pause = PAUSE_MS * (1 + 2 * Math.random());
  await new Promise((resolve) => setTimeout(resolve, pause));
  if (turns.get(path) !== turn) return;
  turns.delete(path);
  await renew(path);
  const cache = await own();
  const [list, page] = await Promise.all(["/", path].map((path) => cache?.match(path, { ignoreVary: true })));
  const isOld = Date.now() - Number(list?.headers.get("x-netra-kept") ?? 0) > LIST_MS;
  if (isOld || list?.headers.get("x-netra-list") !== page?.headers.get("x-netra-list")) await renew("/");
}

async function renew(path: string): Promise<void> {
  // Whoever pays for what is loaded keeps what was loaded anyway.
  const { connection } = worker.navigator as { connection?: { saveData?: boolean } };
  if (connection?.saveData) return;
  const born = forgotten;
  const response = await fetch(path, { headers: { accept: "text/html" }, redirect: "manual", cache: "no-store" });
  // A conversation leads elsewhere only for somebody who is not signed in.
  if (response.type === "opaqueredirect") return forget();
  await learn(path, response, born);
}

/** The server may have gone back to a version without a worker: then there is none. */
async function leaveIfGone(): Promise<void> {
  const answer = await fetch(SCRIPT, { method: "HEAD", cache: "no-store" });
  if (answer.status !== 404 && answer.status !== 410) return;
  hasLeft = true;
  forgotten++;
  await Promise.all((await caches.keys()).filter((name) => name.startsWith(PREFIX)).map(remove));
  await worker.registration.unregister();
}
