// The columns of a ranking: what stands in their cells, what is saved of them, and which are shown.

/** Whole numbers for counts, three digits for what is measured. */
const costText = (cost, value) => (["trainable", "total"].includes(cost.name) ? whole : brief)(value);

/** Ends of the axis of the intervals, on which chance has its place unless it is far off. */
function axisOf(board) {
  const ends = board.rows.flatMap((row) => (row.interval ? row.interval.slice(0, 2) : []));
  if (!ends.length) return { low: 0, high: 1, chance: null, room: 0 };
  const letters = board.rows.map((row) => (row.interval ? fromTo(row.interval, 2).length : 0));
  const room = Math.max(...letters) * 0.58; // rem, for the longest: else its bar would stand left of the others
  let [low, high] = [Math.min(...ends), Math.max(...ends)];
  const near = board.chance != null && low - board.chance <= 2 * (high - low) && board.chance - high <= 2 * (high - low);
  if (near) [low, high] = [Math.min(low, board.chance), Math.max(high, board.chance)];
  const step = high - low > 0.25 ? 0.1 : high - low > 0.1 ? 0.05 : 0.01;
  const round = (value, way) => Number((way(Number((value / step).toFixed(6))) * step).toFixed(3));
  return { low: round(low, Math.floor), high: round(high, Math.ceil), chance: near ? board.chance : null, room };
}

function placed(element, axis, places) {
  for (const [name, value] of Object.entries(places)) {
    element.style.setProperty(`--${name}`, `${(100 * (value - axis.low)) / (axis.high - axis.low || 1)}%`);
  }
  element.style.setProperty("--room", `${axis.room ?? 0}rem`);
  if (axis.chance != null) element.style.setProperty("--chance", `${(100 * (axis.chance - axis.low)) / (axis.high - axis.low || 1)}%`);
  return element;
}

/** A bar from the low to the high end, a tick at the mean, on the axis of the table; a dotted line is chance. */
function intervalCell(row, metric, axis) {
  if (!row.interval) return figure(missing, null);
  const [low, high, method] = row.interval;
  const bar = placed(make("span", { className: axis.chance == null ? "bar" : "bar chance", "aria-hidden": "true" }, make("span")), axis,
    { low, high, mean: row.metrics[metric]?.[0] ?? low });
  const ends = placed(make("span", { className: "ends", textContent: fromTo([low, high], 2) }), axis, {});
  return make("td", { className: "interval", title: method, "data-order": low }, bar, ends);
}

function intervalHead(board, axis, first) {
  const digits = axis.high - axis.low < 0.1 ? 2 : 1;
  const scale = placed(make("span", { className: axis.chance == null ? "axis" : "axis chance", "aria-hidden": "true" },
    make("span", { textContent: axis.low.toFixed(digits) }), make("span", { textContent: axis.high.toFixed(digits) })), axis, {});
  const said = board.chance == null ? "over clips" : `over clips; chance is at ${fixed(board.chance)}${axis.chance == null ? ", off this axis" : ", the dotted line"}`;
  const found = head("95 % interval", { said, figure: true, first }, scale);
  found.classList.add("axis-head");
  return found;
}

function rankHead() {
  const found = head("rank", { said: "1 + the systems that are significantly better", figure: true });
  found.dataset.rank = "true";
  return found;
}

/** { name, title, head, cell(row), values(row) } of each; names are those of `mirbench leaderboard --columns`. */
function columnsOf(board, ranked) {
  const [primary, ...others] = board.metrics;
  const axis = axisOf(board);
  const way = (higher) => (higher ? "desc" : "asc");
  const one = (name, title, headOf, cell, values = (row) => ({})) => ({ name, title, head: headOf, cell, values });
  const metric = (each, first) => one(each.name, each.title,
    () => head(each.title, { said: "mean ± standard deviation over seeds", figure: true, first: way(each.higher) }),
    (row) => (first ? scoreCell(row, each) : spreadCell(row.metrics[each.name])),
    (row) => ({ [each.name]: row.metrics[each.name]?.[0] ?? null, [`${each.name}_sd`]: row.metrics[each.name]?.[1] ?? null }));
  const cost = (each) => one(each.name, each.title, () => head(each.title, { said: each.said, figure: true, first: way(each.higher) }),
    (row) => figure(costText(each, row.costs[each.name]), row.costs[each.name]), (row) => ({ [each.name]: row.costs[each.name] }));
  return [
    ranked && one("rank", "rank", () => rankHead(),
      (row) => rankCell(row, board.rows), (row) => ({ rank: row.rank })),
    one("system", "method + source", () => head("method + source"), (row) => nameCell(board, row),
      (row) => ({ system: row.name, method: row.method, source: row.source, marks: row.marks.join(" "), beware: row.flags.join("; "), key: row.key })),
    metric(primary, true),
    one("interval", "95 % interval", () => intervalHead(board, axis, way(primary.higher)), (row) => intervalCell(row, primary.name, axis),
      (row) => ({ interval_low: row.interval?.[0] ?? null, interval_high: row.interval?.[1] ?? null, interval_method: row.interval?.[2] ?? null })),
    ranked && one("p", "p vs best", () => head("p vs best", { said: "corrected for all pairs of the table", figure: true, first: "desc" }),
      (row) => figure(probability(row.p), row.p), (row) => ({ p_best: row.p })),
    ...board.costs.map(cost),
    ...others.map((each) => metric(each, false)),
    one("runs", "runs", () => head("runs"), (row) => make("td", { textContent: row.runs }), (row) => ({ runs: row.runs })),
  ].filter(Boolean);
}

/** The score; where there is no room for a column of intervals, the ends stand below it. */
function scoreCell(row, metric) {
  const cell = spreadCell(row.metrics[metric.name]);
  if (row.interval) cell.append(make("span", { className: "below", "aria-hidden": "true", textContent: fromTo(row.interval, 2) }));
  return cell;
}

const always = ["rank", "system"];

/** What is wanted most first: on a phone rank, name, score and one cost are left. */
function priority(board) {
  const costs = board.costs.map((cost) => cost.name);
  const [primary, ...others] = board.metrics.map((metric) => metric.name);
  const first = narrow() ? [primary, ...costs.slice(0, 1)] : [primary, "interval", ...costs.slice(0, 1)];
  return [...new Set([...always, ...first, "interval", "p", ...costs, "runs", ...others])];
}

/** Names of the columns that fit into a width, as they stand in a table; the first in order of priority come first. */
function fitting(board, table, columns, width) {
  table.style.width = "1px"; // each column as narrow as its words allow
  const wide = Object.fromEntries([...table.tHead.rows[0].cells].map((cell, k) => [columns[k].name, cell.offsetWidth]));
  table.style.width = "";
  const kept = [];
  let left = width;
  for (const name of priority(board).filter((each) => each in wide)) {
    if (kept.length >= (narrow() ? 4 : 3) && left < wide[name]) continue;
    kept.push(name);
    left -= wide[name];
  }
  return kept;
}
