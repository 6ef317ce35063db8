// Plots: drawn as soon as nothing else is to be done, or when they are scrolled to; a click on a point opens the record.

const kept = 7; // lines of one panel that get a colour of their own, --line-0 and so on; the others stay grey

/** A colour of the style sheet, as the theme has it. */
function colour(name) {
  const probe = make("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Plotly takes tags in texts for markup: let none be left. */
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const onPaper = () => document.documentElement.classList.contains("printing");
const narrow = () => window.innerWidth < 640 && !onPaper();

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
}, { rootMargin: "300px" });
const figures = new Map(); // element -> function that gives its traces, layout and what a click opens

/** A place for a plot. `described()` returns { traces, layout }; customdata of a point is the key of its row. */
function plot(board, label, described) {
  const element = make("div", { className: "plot", role: "img", "aria-label": label });
  figures.set(element, { board, described });
  watcher.observe(element);
  return element;
}

function axis(title, more = {}) {
  const line = colour("line");
  return { title: { text: plain(title), standoff: 8 }, gridcolor: line, linecolor: line, zeroline: false, automargin: true, fixedrange: true, ...more };
}

async function draw(element) {
  await library("plotly");
  drawNow(element);
}

/** Draw a plot with Plotly, which is here; `width` is that of its place, or that of a sheet of paper. */
function drawNow(element, width) {
  watcher.unobserve(element);
  const { board, described } = figures.get(element) ?? {};
  if (!described || !element.isConnected) return;
  const { traces, layout } = described();
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false, showlegend: false, hovermode: "closest",
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("text") },
    hoverlabel: { bgcolor: colour("ground"), bordercolor: colour("line"), font: { color: colour("text") }, align: "left" },
    margin: { l: 8, r: 16, t: 16, b: 8 }, width,
  };
  Object.assign(element.style, { height: `${layout.height}px`, minHeight: "0" });
  Plotly.react(element, traces, { ...base, ...layout }, { displayModeBar: false, responsive: true });
  element.removeAllListeners?.("plotly_click");
  element.on("plotly_click", ({ points }) => points[0]?.customdata && openRecord(board, points[0].customdata));
  element.dataset.drawn = "true";
}

/** Draw what is not drawn yet, a plot whenever nothing else is to be done: a page that is printed is whole. */
const whenIdle = (todo) => (window.requestIdleCallback ?? ((later) => setTimeout(later, 50)))(todo, { timeout: 1500 });

async function drawRest() {
  for (const element of figures.keys()) {
    if (!element.isConnected) figures.delete(element);
    else if (!element.dataset.drawn) {
      await draw(element);
      whenIdle(drawRest);
      return;
    }
  }
}

/** Draw again what is drawn, in the colours of the theme. */
function redraw(width) {
  for (const element of figures.keys()) {
    if (!element.isConnected) figures.delete(element);
    else if (element.dataset.drawn) drawNow(element, width);
  }
}
