// Intervals, and curves: over epochs, over tasks, over deformations.

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
      text: rows.map((row, k) => `${plain(row.label)}<br>${fixed(means[k])}, 95 % from ${fixed(row.interval[0])} to ${fixed(row.interval[1])}<br>${plain(row.interval[2])}`),
      hovertemplate: "%{text}<extra></extra>",
    }] : [];
    const [low, high] = rows[0]?.interval ?? [0, 0];
    const tall = onPaper() ? Math.min(26, Math.max(11, 540 / rows.length)) : narrow() ? 36 : 26; // about 50 rows fit on a sheet
    const small = Math.min(narrow() ? 11 : 13, Math.max(8, tall - 6));
    const layout = {
      height: 70 + tall * rows.length, xaxis: axis(metric.title, { side: "top" }),
      yaxis: axis("", { tickvals: place, tickfont: { size: small }, ticktext: rows.map((row) => label(row.label)), range: [rows.length - 0.4, -0.6], showgrid: false }),
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
  return plot(board, `${title} of ${row.label}, epoch by epoch, ${row.history.length} runs`, described);
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
