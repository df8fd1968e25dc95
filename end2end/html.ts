/** Reads a server-rendered page without running it. */

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (entity, hex?: string, decimal?: string, name?: string) => {
    if (hex) return String.fromCodePoint(parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name ?? ""] ?? entity;
  });
}

/** The text a reader would see, runs of white space as one space. Data inside scripts does not count. */
export function visibleText(html: string): string {
  const markup = html
    .replace(/<!--[\s\S]*?-->|<!>/g, "")
    .replace(/<(script|style|head|template)\b[\s\S]*?<\/\1>/gi, "")
    .replace(/<[^>]+>/g, "");
  return decode(markup).replace(/\s+/g, " ");
}
