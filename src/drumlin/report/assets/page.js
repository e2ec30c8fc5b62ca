// The page's behaviour: theme, figures as they come into view, tables that can be copied. No text of the data becomes markup here.
"use strict";
const drumlin = (() => {
  const root = document.documentElement;
  const parsed = (id) => JSON.parse(document.getElementById(id).textContent);
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const listeners = [];

  /** Make an element: properties, then children; strings become text. */
  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  // ---- theme: the system's, until the reader chooses
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = (() => {
    try { return localStorage.getItem("drumlin-theme"); } catch { return null; }
  })();
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  function themed() {
    button.textContent = isDark() ? "Light" : "Dark";
    listeners.forEach((listener) => listener());
  }
  if (stored === "dark" || stored === "light") root.dataset.theme = stored;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("drumlin-theme", root.dataset.theme); } catch { /* a page from a file may not store */ }
    themed();
  });
  system.addEventListener("change", themed);

  // ---- figures
  const figures = parsed("figures");
  const drawn = new Set();
  const config = { displayModeBar: false, responsive: true, displaylogo: false };

  /** Put colours in: {"$": name} is a name in the palette. */
  function resolved(value) {
    if (Array.isArray(value)) return value.map(resolved);
    if (value === null || typeof value !== "object") return value;
    if (typeof value.$ === "string") return colour(value.$);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolved(item)]));
  }

  function draw(place) {
    const figure = figures[place.dataset.figure];
    const layout = resolved(figure.layout);
    layout.showlegend = false;
    layout.font.family = getComputedStyle(document.body).fontFamily;
    drawn.add(place);
    Plotly.react(place, resolved(figure.data), layout, config);
    legend(place, figure);
  }

  const unescaped = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

  /** A legend of buttons beside the figure: it wraps on a phone, and can be reached by keyboard. */
  function legend(place, figure) {
    const box = place.parentElement.querySelector(".legend");
    const named = figure.data.filter((trace) => trace.name && trace.showlegend !== false);
    if (named.length < 2) { box.replaceChildren(); return; }
    box.replaceChildren(...named.map((trace) => {
      const key = trace.legendgroup ?? trace.name;
      const line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      line.setAttribute("width", "26");
      line.setAttribute("height", "10");
      line.setAttribute("aria-hidden", "true");
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("d", "M0 5H26");
      path.setAttribute("stroke", `var(--${trace.line.color.$})`);
      path.setAttribute("stroke-width", "2.5");
      path.setAttribute("stroke-dasharray", { dash: "7 4", dot: "2 3", dashdot: "7 3 2 3", longdash: "11 4" }[trace.line.dash] ?? "");
      line.append(path);
      const entry = make("button", { type: "button" }, line, unescaped(trace.name));
      entry.setAttribute("aria-pressed", "true");
      entry.addEventListener("click", () => {
        const show = entry.getAttribute("aria-pressed") !== "true";
        entry.setAttribute("aria-pressed", String(show));
        const which = figure.data.flatMap((each, i) => ((each.legendgroup ?? each.name) === key ? [i] : []));
        Plotly.restyle(place, { visible: show }, which);
      });
      return entry;
    }));
  }

  function drawFigures() {
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    }, { rootMargin: "400px" });
    const places = document.querySelectorAll(".plot");
    places.forEach((place) => seen.observe(place));
    listeners.push(() => drawn.forEach(draw));
    addEventListener("beforeprint", () => places.forEach((place) => drawn.has(place) || draw(place)));
  }

  document.querySelectorAll("select.detector").forEach((select) => select.addEventListener("change", () => {
    const run = select.dataset.run;
    document.querySelectorAll(".plot").forEach((place) => {
      const [owner, kind, detector] = place.dataset.figure.split("/");
      const next = `${owner}/${kind}/${select.value}`;
      if (owner !== run || detector === undefined || !(next in figures)) return;
      place.dataset.figure = next;
      place.setAttribute("aria-label", figures[next].alt);
      place.parentElement.querySelector("figcaption").textContent = figures[next].caption;
      if (drawn.has(place)) draw(place);
    });
  }));

  // ---- tables
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {  // a page from a file has no clipboard in some browsers
      const area = make("textarea", { value: text, className: "hidden" });
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }
  document.querySelectorAll("button.copy").forEach((each) => each.addEventListener("click", async () => {
    const rows = [...each.parentElement.querySelectorAll("tr")];
    const plain = (cell) => (cell.dataset.v ?? cell.textContent).replace(/\s+/g, " ");
    const done = await copy(rows.map((row) => [...row.cells].map(plain).join("\t")).join("\n"));
    each.textContent = done ? "Copied" : "Not allowed";
    setTimeout(() => { each.textContent = "Copy"; }, 1500);
  }));

  themed();
  return { parsed, colour, make, drawFigures, onTheme: (listener) => listeners.push(listener) };
})();
