// The first screen: every task, and systems over tasks.

const standings = { full: "Full data sets", excerpt: "Excerpts", own: "Somebody’s own clips", synthesised: "Synthesised stand-ins" };
const fewest = 25; // systems of a matrix before the rest is asked for

const count = (n, one, many = `${one}s`) => `${whole(n)} ${n === 1 ? one : many}`;

/** A score with the name of its metric in a lighter tone. */
function scoreOf(metric, value) {
  const cell = figure(fixed(value), value);
  cell.prepend(make("span", { className: "deviation", textContent: `${metric.title} ` }));
  return cell;
}

/** The tasks of a kind, a line each: how large, who leads, by how much over chance. */
function taskTable(kind) {
  const lines = kind.boards.map((number) => {
    const board = data.boards[number];
    const best = board.rows.find((row) => row.rank != null) ?? board.rows[0];
    const metric = board.metrics[0];
    const tied = board.rows.filter((row) => row.tied).length - 1;
    const cells = best ? [
      make("td", { className: "words" }, link(best.label, { task: board.title, record: best.key }), tied > 0 ? make("span", { className: "deviation", textContent: ` and ${count(tied, "tie")}` }) : ""),
      scoreOf(metric, best.metrics[metric.name]?.[0]),
      figure(fixed(board.chance), board.chance),
    ] : [make("td", { textContent: "no result yet" }), figure(missing, null), figure(missing, null)];
    return make("tr", {}, make("th", { scope: "row" }, link(board.title, { task: board.title })), figure(whole(board.rows.length), board.rows.length),
      figure(whole(board.clips), board.clips), figure(board.classes.length ? whole(board.classes.length) : missing, board.classes.length), ...cells);
  });
  const has = (word) => kind.boards.some((number) => columnOf(data.boards[number]) === word);
  const parts = [has("class") && "classes", has("target") && "targets"].filter(Boolean).join(", ");
  const heads = [head("task"), head("systems", { figure: true }), head("test clips", { figure: true }), head(parts, { figure: true }), head("best system"),
    head("its score", { figure: true }), head("chance", { said: "what one answer for all clips scores", figure: true })];
  return scroller(`Tasks: ${standings[kind.standing]}`, make("table", { className: "tasks kinds" }, make("caption", { className: "unseen", textContent: `Tasks: ${standings[kind.standing]}` }),
    make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...lines)));
}

/** What the average ranks are of, and what they can say. */
function comparedText(kind) {
  const { compared } = kind;
  if (!compared) return "No average rank: it is taken over tasks without modifiers (“+…”), and no two systems have two of those.";
  const names = compared.boards.map((number) => data.boards[number].title).join(", ");
  const p = `p = ${probability(compared.p)}`.replace("= <", "<");
  const test = compared.p < 0.05 ? `Friedman’s test tells them apart (${p})` : `Friedman’s test does not tell them apart (${p})`;
  return `Average rank: of the ${count(compared.systems, "system")} that all of ${names} have, ranked among themselves on each. ` +
    `${test}. Average ranks less than ${compared.critical.toFixed(2)} apart cannot be told apart (Nemenyi’s critical difference, 5 %, ${count(compared.boards.length, "task")}).`;
}

/** The place of an average rank among all, with the reach of the best one's critical difference. */
function averageCell(system, kind) {
  if (system.average == null) return figure(missing, null);
  const { systems, critical } = kind.compared;
  const best = Math.min(...kind.systems.map((one) => one.average ?? Infinity));
  const tied = system.average - best < critical;
  const bar = placed(make("span", { className: "bar", "aria-hidden": "true" }, make("span")), { low: 1, high: systems, chance: null },
    { low: best, high: Math.min(best + critical, systems), mean: system.average });
  return make("td", { className: `interval${tied ? " alike" : ""}`, "data-order": system.average }, bar, make("span", { className: "ends", textContent: system.average.toFixed(2) }));
}

/** Systems against the tasks of a kind: score and rank in each cell. */
function matrix(kind) {
  const boards = kind.boards.map((number) => data.boards[number]);
  const rows = boards.map((board) => Object.fromEntries(board.rows.map((row) => [row.key, row])));
  const cell = (key, k) => {
    const row = key && rows[k][key];
    if (!row) return make("td", { className: "figure none", textContent: missing, "data-order": "" });
    const shared = boards[k].rows.filter((other) => other.rank === row.rank).length > 1;
    const place = row.rank == null ? "not ranked" : `${shared ? "=" : ""}${row.rank}`;
    return make("td", { className: row.tied ? "figure lead" : "figure", "data-order": row.metrics[boards[k].metrics[0].name]?.[0] ?? "" },
      link(fixed(row.metrics[boards[k].metrics[0].name]?.[0]), { task: boards[k].title, record: row.key }), make("span", { className: "place", textContent: place, title: "rank" }));
  };
  const lines = kind.systems.map((system, n) => make("tr", { className: n < fewest ? "" : "more" }, make("th", { scope: "row", textContent: system.name, "data-order": system.name }),
    ...(kind.compared ? [averageCell(system, kind)] : []), ...system.rows.map(cell)));
  const heads = [head("method + source"), ...(kind.compared ? [head("average rank", { figure: true })] : []),
    ...boards.map((board) => head("", { figure: true, first: board.metrics[0]?.higher ? "desc" : "asc" }, make("span", { textContent: board.title }), make("span", { className: "deviation", textContent: board.metrics[0]?.title ?? "" })))];
  const table = make("table", { className: "matrix few" }, make("caption", { className: "unseen", textContent: `Systems over tasks: ${standings[kind.standing]}` }),
    make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...lines));
  const more = kind.systems.length > fewest ? make("button", { type: "button", className: "all", textContent: `Show all ${kind.systems.length} systems`,
    onclick: () => { table.classList.remove("few"); more.remove(); settle(); } }) : "";
  return [table, make("div", {}, make("p", { className: "said", textContent: comparedText(kind) }), scroller(`Systems over tasks: ${standings[kind.standing]}`, table), more)];
}

function sourceLinks() {
  if (!data.sources.length) return "";
  const items = data.sources.map((source) => make("li", {}, link(source.name, { about: source.name }), make("span", { className: "deviation", textContent: ` ${count(source.rows.length, "row")}` })));
  return section("Sources", "Pretrained networks and features, each with what is known of it and its rows over tasks.", make("ul", { className: "sources" }, ...items));
}

function showOverview() {
  const { over } = data;
  const words = [count(over.systems, "system"), count(data.boards.length, "task"), count(over.runs, "run"), over.newest ? `newest run ${over.newest}` : "", `mirbench ${over.version}`];
  const tables = [];
  const sections = over.kinds.map((kind) => {
    const parts = [taskTable(kind)];
    if (kind.boards.length > 1) {
      const [table, place] = matrix(kind);
      tables.push(table);
      parts.push(make("h4", { textContent: "Systems over these tasks" }), place);
    }
    const said = kind.standing === "full" ? "The best of each task, and what one answer for all clips would score." : data.boards[kind.boards[0]].said;
    return section(standings[kind.standing] ?? kind.standing, said, ...parts);
  });
  document.getElementById("main").replaceChildren(
    make("div", { className: "intro" }, make("h2", { textContent: "All tasks" }), make("p", { className: "summary", textContent: words.filter(Boolean).join(" · ") }),
      make("p", { className: "verdict", textContent: "Which way of reusing which pretrained model classifies music best, and what does it cost? Kinds of task stand apart: a score on an excerpt or a stand-in says nothing of the full data set." })),
    ...sections, sourceLinks());
  settle();
  return Promise.all(tables.map((table) => sortable(table)));
}
