/** What is shown while the server is out of reach. */
import { type Entry, LONGEST_MS, entries, own } from "./kept.ts";

/** What the page needs that says so. */
export const OFFLINE_FILES = ["/offline.html", "/offline.css", "/favicon.svg"];

/** That page may do nothing. */
const POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

const escaped = (text: string) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
const at = (kept: number) => escaped(new Date(kept).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));

/** A document as it was kept, which says so. */
export async function find(path: string): Promise<Response | undefined> {
  const response = await (await own())?.match(path, { ignoreVary: true });
  const kept = Number(response?.headers.get("x-netra-kept"));
  if (!response || Date.now() - kept > LONGEST_MS) return undefined;
  const words =
    `The server was not reached. This is what this browser kept on ${at(kept)}. ` +
    "What you send is kept here too, and goes out when the server is back.";
  const said = `<body class="is-kept"><div class="banner" id="kept" data-level="warn" role="status"><p>${words}</p></div>`;
  const text = (await response.text()).replace(/<body[^>]*>/, () => said);
  return new Response(text, { headers: response.headers });
}

/** What is said where nothing was kept, with the ways to what was. */
export async function offline(): Promise<Response> {
  const cache = await own();
  const kept = cache ? await entries(cache) : [];
  const recent = kept.filter((entry) => Date.now() - entry.kept < LONGEST_MS);
  const theme = /<html[^>]* (data-theme="\w+")/.exec((await recent[0]?.response.text()) ?? "")?.[1] ?? "";
  const item = ({ path, kept, note }: Entry) => {
    const title = path === "/" ? "New chat" : escaped(decodeURIComponent(note("title")));
    return `<li><a href="${path}"><span dir="auto">${title}</span> <small>as of ${at(kept)}</small></a></li>`;
  };
  const list = recent.map(item).join("") || "<li>Nothing was kept.</li>";
  const shell = await caches.match("/offline.html", { ignoreVary: true });
  const text = ((await shell?.text()) ?? "<!doctype html><html><title>Netra</title><ul><!--kept--></ul></html>")
    .replace("<html", () => `<html ${theme}`)
    .replace("<!--kept-->", () => list);
  const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": POLICY };
  return new Response(text, { status: 503, headers });
}
