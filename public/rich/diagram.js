// Draws diagrams in a frame of an origin of its own: what it is given comes from a message, what it gives back is shown as a picture.
const drawing = { securityLevel: "strict", startOnLoad: false, maxTextSize: 50_000, maxEdges: 500, htmlLabels: false };

async function draw({ id, source, theme }) {
  try {
    mermaid.initialize({ ...drawing, theme, fontFamily: "system-ui, sans-serif", flowchart: { htmlLabels: false } });
    const { svg } = await mermaid.render(`diagram-${id}`, source);
    const made = new DOMParser().parseFromString(svg, "text/html").querySelector("svg");
    const [, , width, height] = (made.getAttribute("viewBox") ?? "0 0 600 400").split(/[\s,]+/).map(Number);
    made.setAttribute("width", width);
    made.setAttribute("height", height);
    made.style.maxWidth = "";
    return { id, svg: new XMLSerializer().serializeToString(made), width: Math.ceil(width), height: Math.ceil(height) };
  } catch (error) {
    return { id, error: String(error?.message ?? error) };
  } finally {
    document.body.replaceChildren();
  }
}

// One after the other: they share the document.
let last = Promise.resolve();
addEventListener("message", ({ data, source }) => {
  if (source !== parent) return;
  last = last.then(() => draw(data)).then((answer) => parent.postMessage(answer, "*"));
});
parent.postMessage({ ready: true }, "*");
