// What a score costs.

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
