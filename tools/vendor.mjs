// Copies the libraries that answers are drawn with from npm's folder to the page's assets.
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const FROM = "node_modules";
const TO = "public/rich/vendor";

rmSync(TO, { recursive: true, force: true });
mkdirSync(join(TO, "katex/fonts"), { recursive: true });
const copy = (from, to) => cpSync(join(FROM, from), join(TO, to));
copy("katex/dist/katex.min.js", "katex/katex.min.js");
copy("katex/dist/katex.min.css", "katex/katex.min.css");
copy("katex/dist/contrib/copy-tex.min.js", "katex/copy-tex.min.js");
copy("katex/LICENSE", "katex/LICENSE.txt");
for (const font of readdirSync(join(FROM, "katex/dist/fonts")).filter((name) => name.endsWith(".woff2"))) {
  copy(`katex/dist/fonts/${font}`, `katex/fonts/${font}`);
}
copy("@highlightjs/cdn-assets/es/highlight.min.js", "highlight.min.js");
copy("@highlightjs/cdn-assets/LICENSE", "highlight.LICENSE.txt");
copy("@mermaid-js/tiny/dist/mermaid.tiny.js", "mermaid.tiny.js");
copy("@mermaid-js/tiny/LICENSE", "mermaid.LICENSE.txt");
