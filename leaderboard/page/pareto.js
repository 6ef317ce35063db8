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
    const text = cut(name, 44);
    const width = text.length * 0.0075;
    const flip = along + width > 1;
    const box = [flip ? along - width : along, (y - Math.min(...values)) / height];
    if (kept.some(([a, b, wide]) => Math.abs(b - box[1]) < 0.055 && box[0] < a + wide && a < box[0] + width)) continue;
    kept.push([...box, width]);
    found.push({ x, y, text: plain(text), showarrow: false, font: { size: 12, color: colour("text") },
      xanchor: flip ? "right" : "left", yanchor: found.length ? "top" : "bottom", xshift: flip ? -8 : 8, yshift: found.length ? -3 : 5 });
  }
  return found;
}

/** A colour and a sign for each source, options and all: those of most systems have one of their own, others are grey. */
function hues(rows) {
  const count = new Map();
  for (const row of rows) count.set(row.origin, (count.get(row.origin) ?? 0) + 1);
  const names = [...count.keys()].filter(Boolean).sort((a, b) => count.get(b) - count.get(a) || (a < b ? -1 : 1));
  return { named: names.slice(0, kept), more: names.slice(kept), none: count.get("") ?? 0 };
}

/** The metric against a cost, with the systems that nothing cheaper beats. */
function pareto(board, cost) {
  const front = board.fronts[cost.name];
  const metric = board.metrics[0];
  const there = board.rows.filter((row) => row.costs[cost.name] != null && row.metrics[metric.name]);
  const without = board.rows.length - there.length;
  const { named } = hues(board.rows);
  const hue = (row) => (named.includes(row.origin) ? `line-${named.indexOf(row.origin)}` : "muted");
  const described = () => {
    const scale = logScale(there.map((row) => row.costs[cost.name]));
    const points = (rows, marker, name, more = {}) => ({
      type: "scatter", mode: "markers", name, marker, x: rows.map((row) => scale.at(row.costs[cost.name])),
      y: rows.map((row) => row.metrics[metric.name][0]), customdata: rows.map((row) => row.key),
      text: rows.map((row) => `${plain(row.label)}<br>${plain(metric.title)} ${spread(row.metrics[metric.name])}<br>${plain(cost.title)} ${brief(row.costs[cost.name])}`),
      hovertemplate: "%{text}<extra></extra>", ...more,
    });
    const shades = (rows) => rows.map((row) => colour(hue(row)));
    const best = front.map((key) => there.find((row) => row.key === key));
    const ranked = there.filter((row) => row.rank != null && !front.includes(row.key));
    const apart = there.filter((row) => row.rank == null);
    const traces = [
      points(apart, { size: 9, color: shades(apart), symbol: "diamond-open" }, "not ranked"),
      points(ranked, { size: 9, color: shades(ranked), opacity: 0.75 }, "ranked"),
      points(best, { size: 12, color: shades(best), line: { color: colour("text"), width: 1.5 } }, "front", { mode: "lines+markers", line: { shape: "hv", color: colour("muted"), width: 1.5 } }),
    ];
    const way = cost.higher ? { ...scale.axis, range: [...scale.axis.range].reverse() } : scale.axis; // cheap is at the left
    const values = there.map((row) => row.metrics[metric.name][0]);
    const more = Math.max(0.02, 0.12 * (Math.max(...values) - Math.min(...values)));
    const names = best.map((row) => [Math.log10(scale.at(row.costs[cost.name])), row.metrics[metric.name][0], row.label]);
    const layout = {
      height: narrow() ? 340 : 440, xaxis: axis(`${cost.title}${cost.said ? `: ${cost.said}` : ""}${cost.higher ? ", most at the left" : ""}`, way), yaxis: axis(metric.title, { range: [Math.min(...values) - more, Math.max(...values) + more] }),
      annotations: narrow() ? [] : labels(names, way.range, values),
    };
    return { traces, layout };
  };
  const names = front.map((key) => there.find((row) => row.key === key).label).join("; ");
  const element = plot(board, `${metric.title} against ${cost.title}. On the front: ${names || "none"}. The table has every number.`, described);
  const said = without ? `${without} of ${board.rows.length} systems have no such number and are not here.` : "";
  return make("figure", {}, element, said ? make("figcaption", { textContent: said }) : "");
}

function originLegend(board) {
  const { named, more, none } = hues(board.rows);
  const entry = (name, hue) => {
    const dot = make("span", { className: "dot", "aria-hidden": "true" });
    dot.style.background = `var(--${hue})`;
    return make("li", {}, dot, name);
  };
  return make("ul", { className: "legend" }, ...named.map((name, k) => entry(name, `line-${k}`)),
    more.length ? entry(`${more.length} other sources`, "muted") : "", none ? entry("without a source", "muted") : "");
}

/** The section, with a cost to choose where there are several. */
function paretoSection(board) {
  const metric = board.metrics[0].title;
  const place = make("div", { className: "front" });
  const select = make("select", {}, ...board.costs.map((cost) => make("option", { value: cost.name, textContent: cost.title })));
  const fill = () => { place.replaceChildren(pareto(board, board.costs.find((cost) => cost.name === select.value))); };
  const known = (cost) => board.rows.filter((row) => row.costs[cost.name] != null).length;
  const [most] = [...board.costs].sort((a, b) => known(b) - known(a)); // that of which most systems have a number
  select.value = board.costs.some((cost) => cost.name === view.cost) ? view.cost : most.name;
  select.addEventListener("change", () => { look({ cost: select.value }); fill(); });
  fill();
  return section("Pareto front", `What ${metric} costs: the line joins the systems, ringed, that none as cheap beats. Open diamonds are not ranked. A click on a point opens its record.`,
    make("div", { className: "legends" }, board.costs.length > 1 ? make("label", { className: "choose" }, "Cost ", select) : "", originLegend(board)), place);
}
