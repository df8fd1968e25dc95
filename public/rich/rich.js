// What is drawn over the text of an answer: formulas, diagrams and the colours of code. Loaded by the page once an answer has any,
// and each library once it is needed. The text that it works on is there and readable without it.

const HERE = new URL(".", import.meta.url);
const VENDOR = new URL("vendor/", HERE);

// Longer code is not coloured, in characters.
const MAX_CODE = 200_000;
// So long a diagram may take, in milliseconds.
const DIAGRAM_PATIENCE = 20_000;

const once = (make) => {
  let made;
  return () => (made ??= make());
};

const loaded = (element) =>
  new Promise((resolve, reject) => {
    element.onload = resolve;
    element.onerror = () => reject(new Error("a part of this page did not load"));
    document.head.append(element);
  });

const style = (href) => loaded(Object.assign(document.createElement("link"), { rel: "stylesheet", href }));
const script = (src) => loaded(Object.assign(document.createElement("script"), { src }));

const highlighter = once(async () => {
  const [module] = await Promise.all([import(new URL("highlight.min.js", VENDOR)), style(new URL("code.css", HERE))]);
  return module.default;
});

const katex = once(async () => {
  await Promise.all([script(new URL("katex/katex.min.js", VENDOR)), style(new URL("katex/katex.min.css", VENDOR))]);
  // A copied formula is its source.
  await script(new URL("katex/copy-tex.min.js", VENDOR));
  return window.katex;
});

// ---- Diagrams are drawn in a frame that shares nothing with this page, and shown as pictures, in which nothing can run.

const waiting = new Map();
let asked = 0;

const frame = once(async () => {
  const frame = document.createElement("iframe");
  frame.sandbox = "allow-scripts";
  frame.src = new URL("diagram.html", HERE);
  frame.className = "diagram-frame";
  frame.title = "Where diagrams are drawn";
  frame.setAttribute("aria-hidden", "true");
  frame.tabIndex = -1;
  const ready = new Promise((resolve) => {
    window.addEventListener("message", ({ source, data }) => {
      if (source !== frame.contentWindow || typeof data !== "object" || data === null) return;
      if (data.ready) resolve();
      waiting.get(data.id)?.(data);
      waiting.delete(data.id);
    });
  });
  document.body.append(frame);
  await ready;
  return frame;
});

async function drawn(source, theme) {
  const { contentWindow } = await frame();
  const id = ++asked;
  const answer = await new Promise((resolve) => {
    waiting.set(id, resolve);
    setTimeout(() => resolve({ error: "Drawing took too long." }), DIAGRAM_PATIENCE);
    contentWindow.postMessage({ id, source, theme }, "*");
  });
  if (typeof answer.svg !== "string") throw new Error(String(answer.error ?? "The diagram could not be drawn."));
  return answer;
}

const theme = () => {
  const chosen = document.documentElement.dataset.theme;
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  return dark ? "dark" : "default";
};

async function diagram(block) {
  const source = block.querySelector("code").textContent;
  let figure = block.querySelector(".diagram");
  try {
    const { svg, width, height } = await drawn(source, theme());
    const picture = new Image(width, height);
    picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
    const title = /^\s*accTitle\s*:\s*(.+)$/m.exec(source)?.[1];
    picture.alt = title ?? `Diagram: ${source.trim().split(/\s/, 1)[0]}. Its source is shown by the button above.`;
    if (!figure) {
      figure = Object.assign(document.createElement("div"), { className: "diagram" });
      block.querySelector("pre").before(figure);
      const button = Object.assign(document.createElement("button"), { type: "button", className: "code-button" });
      button.textContent = "Source";
      button.setAttribute("aria-pressed", "false");
      button.onclick = () => {
        const shown = block.toggleAttribute("data-source");
        button.setAttribute("aria-pressed", String(shown));
      };
      block.querySelector(".wrap").before(button);
    }
    figure.tabIndex = 0;
    figure.setAttribute("role", "group");
    figure.setAttribute("aria-label", "Diagram");
    figure.replaceChildren(picture);
    block.setAttribute("data-drawn", "diagram");
  } catch (error) {
    if (figure) return;
    const why = Object.assign(document.createElement("p"), { className: "diagram-error" });
    why.textContent = `This diagram cannot be drawn: ${error.message.split("\n")[0]}`;
    block.querySelector("pre").before(why);
  }
}

const themes = () => document.querySelectorAll('[data-drawn="diagram"]').forEach(diagram);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themes);
new MutationObserver(themes).observe(document.documentElement, { attributeFilter: ["data-theme"] });

// ---- Formulas and code

// What is drawn says its source three times over: it is read before, and remembered, for a block that is made anew around it
// is drawn again.
const sources = new WeakMap();

async function formula(element) {
  if (!element.querySelector(".katex")) sources.set(element, element.textContent);
  const source = sources.get(element);
  if (source === undefined) return;
  const katexNow = await katex();
  const inner = source.startsWith("$$") || source.startsWith("\\") ? source.slice(2, -2) : source.slice(1, -1);
  try {
    // Made aside: a formula that cannot be set leaves its source as it is.
    const made = document.createElement("span");
    katexNow.render(inner, made, {
      displayMode: element.dataset.display === "true",
      strict: "ignore",
      trust: false,
      maxExpand: 1000,
      maxSize: 20,
    });
    element.replaceChildren(...made.childNodes);
  } catch (error) {
    element.title = `This formula cannot be set: ${error.message}`;
  }
}

async function code(block) {
  const element = block.querySelector("code");
  const language = block.querySelector(".code-lang").textContent.toLowerCase();
  const text = element.textContent;
  if (text.length > MAX_CODE) return;
  const highlight = await highlighter();
  if (highlight.getLanguage(language)) {
    element.innerHTML = highlight.highlight(text, { language, ignoreIllegals: true }).value;
  }
}

const draw = { math: formula, mermaid: diagram, code };

// ---- Finding what is to be drawn

// Part of an answer that still grows may be made anew: its last two blocks wait.
const settled = (element) => {
  const answer = element.closest('.answer[data-streaming="true"]');
  const block = element.closest(".md-block");
  return !answer || !block || Boolean(block.nextElementSibling?.nextElementSibling);
};

// What a reader has marked stays marked.
const marked = (element) => {
  const selection = getSelection();
  return selection && !selection.isCollapsed && selection.containsNode(element, true);
};

let scheduled = false;

async function scan(deadline) {
  scheduled = false;
  for (const element of document.querySelectorAll("[data-rich]:not([data-drawn])")) {
    if (!settled(element) || marked(element)) continue;
    if (deadline.timeRemaining?.() < 2) return schedule();
    element.setAttribute("data-drawn", "");
    try {
      await draw[element.dataset.rich]?.(element);
    } catch (error) {
      console.warn(`netra: ${error.message}`);
    }
  }
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  if (window.requestIdleCallback) requestIdleCallback(scan, { timeout: 500 });
  else setTimeout(() => scan({}), 50);
}

new MutationObserver(schedule).observe(document.body, {
  childList: true,
  subtree: true,
  attributeFilter: ["data-streaming"],
});
document.addEventListener("selectionchange", schedule);
schedule();
