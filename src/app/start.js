// What the page does before its program is there: it keeps what is typed and pressed, and says why when the program does not come.
// Runs in the head, before anything is drawn; works in browsers that cannot run the rest.
(() => {
  const root = document.documentElement;
  const find = (selector) => document.querySelector(selector);
  const TYPED = "netra.typed";
  const read = (storage, key) => {
    try {
      return window[storage].getItem(key);
    } catch {
      return null; // The browser stores nothing.
    }
  };
  if (read("localStorage", "netra.sidebar") === "closed") root.dataset.sidebar = "closed";
  if (read("localStorage", "netra.density") === "compact") root.dataset.density = "compact";

  // ------------------------------------------------------------------ the program comes once the page is on the screen
  const { program, files } = document.currentScript.dataset;
  let asked = false;
  const load = () => {
    if (asked) return;
    asked = true;
    const [whole, ...parts] = files.split(" ");
    const module_or_path = fetch(whole);
    const link = { rel: "preload", as: "fetch", crossOrigin: "anonymous" };
    for (const href of parts) document.head.append(Object.assign(document.createElement("link"), link, { href }));
    import(program).then((module) => module.default({ module_or_path }).then(module.hydrate));
  };
  // After the first frame; a page that nobody sees draws none.
  requestAnimationFrame(() => setTimeout(load));
  if (document.hidden) load();
  document.addEventListener("visibilitychange", load);
  setTimeout(load, 3000);

  // ------------------------------------------------------------------ what is typed and pressed is done later
  const typed = new Map();
  const pressed = new Set();
  const listening = new AbortController();
  const on = (name, hear) => document.addEventListener(name, hear, { capture: true, signal: listening.signal });
  const note = (field) => {
    typed.set(field, field.value);
    const send = field.closest(".composer")?.querySelector(".send");
    if (send) send.disabled = !field.value.trim();
  };
  const press = (element) => {
    element.dataset.pressed = "";
    pressed.add(element);
  };
  on("input", (event) => note(event.target));
  on("change", (event) => event.target.matches("select") && note(event.target));
  on("submit", (event) => {
    if (!event.target.matches(".composer")) return; // The sign-in forms work without a program.
    event.preventDefault();
    press(event.target);
  });
  on("click", (event) => {
    const button = event.target.closest("button[type=button]");
    if (button) press(button);
  });
  on("keydown", (event) => {
    const sends = event.key === "Enter" && event.code && !event.shiftKey && !event.isComposing && event.keyCode !== 229;
    if (!sends || !event.target.matches(".composer textarea")) return;
    if (read("localStorage", "netra.sends") === "control" && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    if (event.target.value.trim()) press(event.target.form);
  });

  // ------------------------------------------------------------------ why it does not start
  let alive = false;
  const say = (words) => {
    if (alive) return;
    const trouble = find("#start-trouble");
    const status = find(".link-status");
    if (trouble) {
      trouble.hidden = false;
      find("#start-words").textContent = words;
    }
    if (status) {
      status.dataset.state = "unreachable";
      find(".link-text").firstElementChild.textContent = "Not started";
    }
  };
  const reason = (error) => String(error?.message ?? error ?? "an unknown fault").split("\n")[0];
  const failed = (why) => {
    // What the service worker has of it may be at fault: a reload has it all from the server.
    if (!find("#kept")) window.caches?.delete("netra-files").catch(() => {});
    setTimeout(
      () => say(`The program of this page did not start: ${why}. You can read; to write, reload the page.`),
      500,
    );
  };
  addEventListener("unhandledrejection", (event) => failed(reason(event.reason)), { signal: listening.signal });
  addEventListener("error", (event) => event.error && failed(reason(event.error)), { signal: listening.signal });
  if (typeof WebAssembly === "undefined") failed("this browser does not run WebAssembly");
  setTimeout(() => {
    if (find("#start-trouble")?.hidden) {
      say(
        "The program of this page is still on its way. What you type and press meanwhile is kept and done when it is here.",
      );
    }
  }, 8000);

  // ------------------------------------------------------------------ a reload does not lose what was typed meanwhile
  const owner = () => {
    try {
      return JSON.parse(find("#netra-boot").textContent).user.id + location.pathname;
    } catch {
      return null; // Nobody is signed in, or the program has taken it over.
    }
  };
  addEventListener(
    "pagehide",
    () => {
      const field = find("#message");
      if (!alive && field?.value && owner()) {
        try {
          sessionStorage.setItem(TYPED, JSON.stringify([owner(), field.value]));
        } catch {} // The browser stores nothing.
      }
    },
    { signal: listening.signal },
  );
  // The page has been read, and no program has run yet.
  on("readystatechange", () => {
    if (document.readyState !== "interactive") return;
    const scroller = find(".scroller");
    if (scroller) scroller.scrollTop = scroller.scrollHeight; // A conversation opens at its end.
    const [whose, words] = JSON.parse(read("sessionStorage", TYPED) ?? "[]");
    const field = find("#message");
    if (!words || !field || whose !== owner()) return;
    sessionStorage.removeItem(TYPED);
    field.value = words + (field.value && `\n${field.value}`);
    note(field);
  });

  // ------------------------------------------------------------------ what is kept for when the server is out of reach
  const tell = (says, path) =>
    registration()
      .then((found) => found?.active?.postMessage({ says, path }))
      .catch(() => {});
  const registration = async () => navigator.serviceWorker.getRegistration(); // Absent, or refused, where it is not allowed.
  let drawn = null; // The document that the worker has kept as it went by.
  const install = async () => {
    const { serviceWorker } = navigator;
    const mark = () => (root.dataset.worker = "");
    if (serviceWorker.controller) {
      mark();
    } else {
      serviceWorker.addEventListener("controllerchange", () => (mark(), tell("keep", location.pathname)), {
        once: true,
      });
    }
    await serviceWorker.register("/service-worker.js", { updateViaCache: "none" });
  };
  try {
    if (navigator.serviceWorker.controller) drawn = location.pathname;
  } catch {} // There is none.
  addEventListener("netra:keep", () => {
    if (drawn !== location.pathname) tell("keep", location.pathname);
    drawn = null;
  });
  addEventListener("netra:drop", () => tell("drop", `/t/${root.dataset.gone}`));
  addEventListener("netra:forget", () => tell("forget"));

  // ------------------------------------------------------------------ the program is here
  addEventListener(
    "netra:alive",
    () => {
      alive = true;
      listening.abort();
      const trouble = find("#start-trouble");
      if (trouble) trouble.hidden = true;
      find("#netra")?.removeAttribute("translate");
      if (isSecureContext && location.pathname !== "/login") {
        (window.requestIdleCallback ?? setTimeout)(() => install().catch(() => {})); // A page without a worker lacks nothing else.
      }
      // What is shown is no longer old once the server is back.
      if (find("#kept")) {
        new MutationObserver((_, observer) => {
          if (find(".link-status")?.dataset.state !== "live") return;
          observer.disconnect();
          find("#kept")?.remove();
          document.body.classList.remove("is-kept");
        }).observe(document.body, { subtree: true, childList: true, attributeFilter: ["data-state"] });
      }
      // After the program's first effects, which take over the fields.
      setTimeout(() => {
        for (const [field, value] of typed) {
          if (!field.isConnected) continue;
          if (!field.value.includes(value)) field.value = value;
          field.dispatchEvent(new Event(field.matches("select") ? "change" : "input", { bubbles: true }));
        }
        for (const element of pressed) {
          delete element.dataset.pressed;
          if (!element.isConnected) continue;
          if (element.matches("form")) element.requestSubmit();
          else element.click();
        }
      });
    },
    { once: true },
  );
})();
