// Two rows side by side: scores, costs, what was asked differently, classes.

/** p of a pair, corrected for all pairs of the table; undefined where it is not in the page. */
function pairP(board, a, b) {
  const [i, j] = [board.rows.indexOf(a), board.rows.indexOf(b)].sort((x, y) => x - y);
  return board.pairs[(i * (2 * board.rows.length - i - 1)) / 2 + (j - i - 1)] ?? undefined;
}

/** Who is better, in plain words. */
function pairVerdict(board, a, b) {
  const metric = board.metrics[0];
  const p = pairP(board, a, b);
  const [left, right] = [a.metrics[metric.name]?.[0], b.metrics[metric.name]?.[0]];
  if (p === undefined || left == null || right == null) {
    const why = board.pairs.length || board.rows.length <= 60 ? "they were not tested on the same clips" : "the page keeps no pairs of so large a table; `mirbench compare` tests any";
    return `This pair is not tested here: ${why}.`;
  }
  const said = `p = ${probability(p)}, corrected for all pairs of the table`.replace("= <", "<");
  if (p >= 0.05) return `The two cannot be told apart on ${whole(board.clips)} clips (${said}).`;
  const better = (left > right) === metric.higher ? a : b;
  return `${better.label} is significantly better on these ${whole(board.clips)} clips (${said}).`;
}

const signed = (value, digits = 3) => (value == null ? missing : `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value).toFixed(digits)}`);

function pairTable(caption, lines, heads) {
  const rows = lines.map(([name, ...cells]) => make("tr", {}, make("th", { scope: "row", textContent: name }),
    ...cells.map((cell) => (cell instanceof Node ? cell : make("td", { className: "figure", textContent: cell })))));
  return scroller(caption, make("table", { className: "pair" }, make("caption", { className: "unseen", textContent: caption }),
    make("thead", {}, make("tr", {}, make("td"), ...heads.map((text) => make("th", { scope: "col", className: "figure", textContent: text })))), make("tbody", {}, ...rows)));
}

function scoreLines(board, a, b) {
  const lines = board.metrics.filter(({ name }) => a.metrics[name] || b.metrics[name]).map(({ name, title }) => {
    const [left, right] = [a.metrics[name], b.metrics[name]];
    return [title, spread(left), spread(right), left && right ? signed(right[0] - left[0]) : missing];
  });
  const ends = (row) => (row.interval ? fromTo(row.interval) : missing);
  lines.splice(1, 0, [`95 % of ${board.metrics[0].title}`, ends(a), ends(b), ""]);
  return [...lines, ["rank", a.rank ?? missing, b.rank ?? missing, ""], ["runs", a.runs, b.runs, ""]];
}

/** How many times as much B needs. */
function times(left, right) {
  if (!left || !right) return missing;
  const ratio = right / left;
  return ratio === 1 ? "the same" : `× ${ratio >= 100 ? whole(Math.round(ratio)) : ratio.toPrecision(ratio > 0.9 && ratio < 1.1 ? 3 : 2)}`;
}

const costLines = (board, a, b) => board.costs.filter(({ name }) => a.costs[name] != null || b.costs[name] != null).map((cost) =>
  [cost.title, costText(cost, a.costs[cost.name]), costText(cost, b.costs[cost.name]), times(a.costs[cost.name], b.costs[cost.name])]);

/** What was asked of one and not of the other. */
function askedLines(a, b) {
  const [left, right] = [a, b].map((row) => new Map(row.record.asked.map(([name, value]) => [name, value])));
  return [...new Set([...left.keys(), ...right.keys()])].filter((name) => left.get(name) !== right.get(name))
    .map((name) => [name, left.get(name) ?? missing, right.get(name) ?? missing]);
}

/** Classes, those that B gains most of first; a bar to the right is a gain of B. */
function classLines(board, a, b) {
  const found = board.classes.map((name, k) => ({ name, a: a.classes[k], b: b.classes[k] })).filter((one) => one.a != null || one.b != null);
  const gap = (one) => (one.a == null || one.b == null ? null : one.b - one.a);
  const most = Math.max(0.05, ...found.map((one) => Math.abs(gap(one) ?? 0)));
  return found.sort((x, y) => (gap(y) ?? -9) - (gap(x) ?? -9)).map((one) => {
    const bar = make("span", { className: gap(one) < 0 ? "gap less" : "gap", "aria-hidden": "true" });
    bar.style.setProperty("--part", `${(50 * Math.abs(gap(one) ?? 0)) / most}%`);
    return [one.name, fixed(one.a, 2), fixed(one.b, 2), make("td", { className: "figure" }, signed(gap(one), 2), bar)];
  });
}

function openComparison(board, first = "", second = "") {
  const rowOf = (key) => board.rows.find((row) => row.key === key);
  const other = (key) => board.rows.find((row) => row.key !== key);
  const dialog = document.getElementById("compare");
  const chosen = [rowOf(first) ?? board.rows[0]];
  chosen.push(rowOf(second) && second !== chosen[0].key ? rowOf(second) : other(chosen[0].key));
  const close = make("button", { type: "button", className: "close", textContent: "Close", onclick: () => dialog.close() });
  const body = make("div", {});
  const pick = (letter, place) => {
    const select = make("select", { "aria-label": `System ${letter}` }, ...board.rows.map((row) => make("option", { value: row.key, textContent: row.label })));
    select.value = chosen[place].key;
    select.addEventListener("change", () => { chosen[place] = rowOf(select.value); fill(); });
    return make("label", {}, make("span", { className: "letter", textContent: letter }), select);
  };
  const fill = () => {
    const [a, b] = chosen;
    look({ compare: `${a.key},${b.key}` });
    if (a === b) return body.replaceChildren(make("p", { className: "said", textContent: "Choose two systems that differ." }));
    const asked = askedLines(a, b);
    const classes = a.classes.length && b.classes.length ? classLines(board, a, b) : [];
    body.replaceChildren(
      make("p", { className: "verdict", textContent: pairVerdict(board, a, b) }),
      part("Result", pairTable("Result", scoreLines(board, a, b), ["A", "B", "B − A"])),
      part("Cost", pairTable("Cost", costLines(board, a, b), ["A", "B", "B ÷ A"])),
      part("Asked differently", asked.length ? pairTable("Asked differently", asked, ["A", "B"]) : make("p", { className: "said", textContent: "Nothing." })),
      classes.length ? part(`${board.perClass} of each ${columnOf(board)}`, pairTable(columnOf(board) === "class" ? "Classes" : "Targets", classes, ["A", "B", "B − A"])) : "");
  };
  dialog.replaceChildren(make("div", { className: "top" }, make("h2", { id: "compare-name", textContent: `Two systems on ${board.title}` }), close),
    make("div", { className: "picks" }, pick("A", 0), pick("B", 1)), body);
  fill();
  showDialog(dialog, close, { compare: view.compare });
}
