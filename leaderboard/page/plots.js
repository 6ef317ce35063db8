// Plots, drawn when they are scrolled to; a click on a point opens the record.

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
const narrow = () => window.innerWidth < 640;

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
  watcher.unobserve(element);
  await library("plotly");
  const { board, described } = figures.get(element) ?? {};
  if (!described || !element.isConnected) return;
  const { traces, layout } = described();
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false, showlegend: false, hovermode: "closest",
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("text") },
    hoverlabel: { bgcolor: colour("ground"), bordercolor: colour("line"), font: { color: colour("text") }, align: "left" },
    margin: { l: 8, r: 16, t: 16, b: 8 },
  };
  element.style.height = `${layout.height}px`;
  await Plotly.react(element, traces, { ...base, ...layout }, { displayModeBar: false, responsive: true });
  element.removeAllListeners?.("plotly_click");
  element.on("plotly_click", ({ points }) => points[0]?.customdata && openRecord(board, points[0].customdata));
  element.dataset.drawn = "true";
}

/** Draw again what is drawn, in the colours of the theme. */
function redraw() {
  for (const element of figures.keys()) {
    if (!element.isConnected) figures.delete(element);
    else if (element.dataset.drawn) draw(element);
  }
}

/** Points of a log axis, with a place of its own for 0, and its ticks. */
function logScale(values) {
  const above = values.filter((value) => value > 0);
  const low = above.length ? Math.floor(Math.log10(Math.min(...above))) : 0;
  const high = above.length ? Math.ceil(Math.log10(Math.max(...above))) : 1;
  const zero = values.includes(0);
  const decades = Array.from({ length: Math.max(high, low + 1) - low + 1 }, (_, k) => low + k);
  const step = Math.ceil(decades.length / (narrow() ? 4 : 8));
  const ticks = decades.filter((power) => (power - low) % step === 0);
  const said = (power) => (power < 3 ? String(Number((10 ** power).toPrecision(1))) : `${10 ** (power % 3)}${["k", "M", "G", "T"][Math.floor(power / 3) - 1]}`);
  return {
    at: (value) => (value > 0 ? value : 10 ** (low - 1)),
    axis: {
      type: "log", tickvals: [...(zero ? [10 ** (low - 1)] : []), ...ticks.map((power) => 10 ** power)],
      ticktext: [...(zero ? ["0"] : []), ...ticks.map(said)], range: [low - (zero ? 1.3 : 0.3), Math.max(high, low + 1) + 0.3],
    },
  };
}

/** Names of the points of a front, the best first, less those that would lie on another. */
function labels(points, [left, right], values) {
  const height = Math.max(...values) - Math.min(...values) || 1;
  const kept = [];
  const found = [];
  for (const [x, y, name] of [...points].reverse()) {
    const along = (x - left) / (right - left);
    const text = cut(name, 34);
    const width = text.length * 0.0135;
    const flip = along + width > 1;
    const box = [flip ? along - width : along, (y - Math.min(...values)) / height];
    if (kept.some(([a, b, wide]) => Math.abs(b - box[1]) < 0.055 && box[0] < a + wide && a < box[0] + width)) continue;
    kept.push([...box, width]);
    found.push({ x, y, text: plain(text), showarrow: false, font: { size: 12, color: colour("accent") },
      xanchor: flip ? "right" : "left", yanchor: found.length ? "top" : "bottom", xshift: flip ? -5 : 5, yshift: found.length ? -3 : 5 });
  }
  return found;
}

/** The metric against a cost, with the systems that nothing cheaper beats. */
function pareto(board, cost, title) {
  const front = board.fronts[cost];
  const metric = board.metrics[0];
  const there = board.rows.filter((row) => row.costs[cost] != null && row.metrics[metric.name]);
  const without = board.rows.length - there.length;
  const described = () => {
    const scale = logScale(there.map((row) => row.costs[cost]));
    const points = (rows, marker, name, more = {}) => ({
      type: "scatter", mode: "markers", name, marker, x: rows.map((row) => scale.at(row.costs[cost])),
      y: rows.map((row) => row.metrics[metric.name][0]), customdata: rows.map((row) => row.key),
      text: rows.map((row) => `${plain(row.name)}<br>${plain(metric.title)} ${spread(row.metrics[metric.name])}<br>${plain(title)} ${brief(row.costs[cost])}`),
      hovertemplate: "%{text}<extra></extra>", ...more,
    });
    const best = front.map((key) => there.find((row) => row.key === key));
    const ranked = there.filter((row) => row.rank != null && !front.includes(row.key));
    const apart = there.filter((row) => row.rank == null);
    const [accent, muted] = [colour("accent"), colour("muted")];
    const traces = [
      points(apart, { size: 9, color: muted, symbol: "diamond-open" }, "not ranked"),
      points(ranked, { size: 9, color: muted, opacity: 0.65 }, "ranked"),
      points(best, { size: 11, color: accent }, "front", { mode: "lines+markers", line: { shape: "hv", color: accent, width: 1.5 } }),
    ];
    const layout = {
      height: narrow() ? 320 : 400, xaxis: axis(title, scale.axis), yaxis: axis(metric.title),
      annotations: narrow() ? [] : labels(best.map((row) => [Math.log10(scale.at(row.costs[cost])), row.metrics[metric.name][0], row.name]), scale.axis.range, there.map((row) => row.metrics[metric.name][0])),
    };
    return { traces, layout };
  };
  const names = front.map((key) => there.find((row) => row.key === key).name).join("; ");
  const element = plot(board, `${metric.title} against ${title}. On the front: ${names || "none"}. The table has every number.`, described);
  const said = without ? `${without} of ${board.rows.length} systems have no such number and are not here.` : "";
  return make("figure", {}, element, said ? make("figcaption", { textContent: said }) : "");
}

/** A name beside an axis; on a phone method and source have a line each. */
function label(name) {
  const parts = narrow() ? name.split(" + ").map((part) => cut(part, 24)) : [cut(name, 48)];
  return `${parts.map(plain).join("  <br>")}  `;
}

/** Intervals of all systems, the best at the top. */
function forest(board) {
  const metric = board.metrics[0];
  const rows = board.rows.filter((row) => row.interval && row.metrics[metric.name]);
  const described = () => {
    const place = rows.map((_, k) => k);
    const hue = (row) => (row.tied ? colour("accent") : colour("muted"));
    const means = rows.map((row) => row.metrics[metric.name][0]);
    const traces = rows.length ? [{
      type: "scatter", mode: "markers", x: means, y: place, customdata: rows.map((row) => row.key),
      marker: { size: 9, color: rows.map(hue), symbol: rows.map((row) => (row.rank == null ? "diamond-open" : "circle")) },
      error_x: { type: "data", symmetric: false, array: rows.map((row, k) => row.interval[1] - means[k]),
        arrayminus: rows.map((row, k) => means[k] - row.interval[0]), color: colour("muted"), thickness: 1.5, width: 0 },
      text: rows.map((row, k) => `${plain(row.name)}<br>${fixed(means[k])}, 95 % from ${fixed(row.interval[0])} to ${fixed(row.interval[1])}<br>${plain(row.interval[2])}`),
      hovertemplate: "%{text}<extra></extra>",
    }] : [];
    const [low, high] = rows[0]?.interval ?? [0, 0];
    const layout = {
      height: 70 + (narrow() ? 36 : 26) * rows.length, xaxis: axis(metric.title, { side: "top" }),
      yaxis: axis("", { tickvals: place, tickfont: { size: narrow() ? 11 : 13 }, ticktext: rows.map((row) => label(row.name)), range: [rows.length - 0.4, -0.6], showgrid: false }),
      shapes: [{ type: "rect", yref: "paper", x0: low, x1: high, y0: 0, y1: 1, fillcolor: colour("accent"), opacity: 0.1, line: { width: 0 } }],
    };
    return { traces, layout };
  };
  return plot(board, `95 % intervals of ${metric.title} of ${rows.length} systems; the table has every number.`, described);
}

/** Loss and score, epoch by epoch: a thin line a run. */
function learning(board, row, measures, title) {
  const described = () => {
    const traces = measures.flatMap((measure, k) =>
      row.history.filter((run) => run.values[measure]).map((run, n) => ({
        type: "scatter", mode: "lines", x: run.epoch, y: run.values[measure], name: measure.replace("_", " "), legendgroup: measure,
        showlegend: n === 0, line: { color: colour(`line-${k % kept}`), width: 1.5 }, opacity: row.history.length > 1 ? 0.7 : 1,
        hovertemplate: `${measure.replace("_", " ")} %{y:.3g}, epoch %{x}<br>seed ${run.seed}, fold ${run.fold}<extra></extra>`,
      })));
    const layout = { height: 300, xaxis: axis("epoch"), yaxis: axis(title, { rangemode: "tozero" }), showlegend: measures.length > 1,
      legend: { orientation: "h", y: 1.15, x: 0 } };
    return { traces, layout };
  };
  return plot(board, `${title} of ${row.name}, epoch by epoch, ${row.history.length} runs`, described);
}

/** One panel of curves: a line a system, in colours that all panels share. */
function panel(board, curve, one, order, range) {
  const described = () => {
    const traces = one.lines.map((line) => {
      const k = order.indexOf(line.name);
      return {
        type: "scatter", mode: "lines+markers", name: line.name, x: line.x, y: line.y, customdata: line.x.map(() => line.key),
        line: { color: colour(k < kept ? `line-${k}` : "line"), width: k < kept ? 2 : 1 }, marker: { size: 7 },
        error_y: { type: "data", array: line.sd.map((sd) => sd ?? 0), visible: line.sd.some((sd) => sd), thickness: 1, width: 3 },
        text: line.x.map((x, n) => plain(`${line.name}: ${line.text[n] ?? one.ticks[x] ?? x}`)), hovertemplate: "%{text}<br>%{y:.3f}<extra></extra>",
      };
    });
    const ticks = one.ticks.length ? { tickvals: one.ticks.map((_, k) => k), ticktext: one.ticks.map(plain) } : {};
    const places = [...new Set(one.lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    const log = one.log ? { type: "log", tickvals: places, ticktext: places.map((x) => whole(Math.round(x))) } : {};
    return { traces, layout: { height: 300, xaxis: axis(one.x, { ...ticks, ...log }), yaxis: axis(curve.y, { range }) } };
  };
  const label = `${one.title || curve.title}: ${curve.y} against ${one.x || one.ticks.join(", ")}, ${one.lines.length} systems`;
  return make("figure", {}, one.title ? make("figcaption", { textContent: one.title }) : "", plot(board, label, described));
}

/** A section of curves with one legend, and the numbers as a table. */
function curves(board, curve) {
  const place = Object.fromEntries(board.rows.map((row, k) => [row.key, k]));
  const lines = curve.panels.flatMap((one) => one.lines);
  const order = [...new Set(lines.sort((a, b) => (place[a.key] ?? 1e6) - (place[b.key] ?? 1e6)).map((line) => line.name))];
  const values = lines.flatMap((line) => line.y).filter((value) => value != null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const more = Math.max(0.05, (0.3 - (high - low)) / 2); // a point up or down is not to look like a cliff
  const range = [low - more, high + more];
  const legend = make("ul", { className: "legend" }, ...order.slice(0, kept).map((name, k) => {
    const swatch = make("span", { className: "swatch", "aria-hidden": "true" });
    swatch.style.background = `var(--line-${k})`;
    return make("li", {}, swatch, name);
  }), order.length > kept ? make("li", { textContent: `${order.length - kept} more in grey` }) : "");
  const numbers = make("details", {}, make("summary", { textContent: "As a table" }), ...curve.panels.map((one) => curveTable(curve, one)));
  return section(curve.title, curve.said, legend, make("div", { className: "panels" }, ...curve.panels.map((one) => panel(board, curve, one, order, range))), numbers);
}

function curveTable(curve, one) {
  const places = [...new Set(one.lines.flatMap((line) => line.x))].sort((a, b) => a - b);
  const title = (x) => one.ticks[x] ?? whole(Math.round(x));
  const lines = one.lines.map((line) => make("tr", {}, make("th", { scope: "row", textContent: line.name }),
    ...places.map((x) => figure(fixed(line.y[line.x.indexOf(x)]), null))));
  const label = [one.title, one.x].filter(Boolean).join(", ") || curve.title;
  return scroller(label, make("table", { className: "heat" }, make("caption", { textContent: `${curve.y}: ${label}` }),
    make("thead", {}, make("tr", {}, make("td"), ...places.map((x) => make("th", { scope: "col", className: "figure", textContent: title(x) })))), make("tbody", {}, ...lines)));
}
