// What is known of a source, and its rows over tasks.

const linked = /(https:\/\/[^\s<>"]*[^\s<>".,;:)\]]|\barXiv:\d{4}\.\d{4,5}|\bdoi:10\.\S*[^\s.,;:)\]])/gi;

/** A text whose addresses can be followed; a publication's number leads to it. */
function withLinks(text) {
  return text.split(linked).map((piece, k) => {
    if (k % 2 === 0) return piece;
    const href = /^arxiv:/i.test(piece) ? `https://arxiv.org/abs/${piece.slice(6)}` : /^doi:/i.test(piece) ? `https://doi.org/${piece.slice(4)}` : piece;
    return make("a", { href, rel: "noopener noreferrer", textContent: piece });
  });
}

function sourceRows(source) {
  const lines = source.rows.map(([number, key]) => {
    const board = data.boards[number];
    const row = board.rows.find((one) => one.key === key);
    if (!row) return "";
    const metric = board.metrics[0];
    const cost = board.costs[0];
    const [value] = row.metrics[metric.name] ?? [];
    return make("tr", { className: row.tied ? "tied" : "" }, make("th", { scope: "row" }, link(row.name, { task: board.title, record: key }), ...badges(board, row)),
      make("td", {}, link(board.title, { task: board.title })), figure(row.rank == null ? missing : `${row.rank} of ${board.rows.length}`, row.rank),
      scoreOf(metric, value), figure(row.interval ? fromTo(row.interval, 2) : missing, row.interval?.[0]),
      figure(cost ? `${costText(cost, row.costs[cost.name])} ${row.costs[cost.name] == null ? "" : cost.title}` : missing, cost && row.costs[cost.name]));
  });
  const heads = [head("method + source"), head("task"), head("rank", { figure: true }), head("score", { figure: true, first: "desc" }), head("95 % interval", { figure: true, first: "desc" }), head("cost", { figure: true })];
  return make("table", { className: "tasks" }, make("caption", { className: "unseen", textContent: `Rows of ${source.name}` }), make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...lines));
}

function showSource(source) {
  const facts = new Map();
  for (const [name, said] of [["version in these runs", source.versions.join(", ")], ...source.facts]) facts.set(name, [...(facts.get(name) ?? []), said]);
  const lines = [...facts].map(([name, all]) => make("div", {}, make("dt", { textContent: name }), make("dd", {}, ...all.map((said) => make("p", {}, ...withLinks(said))))));
  const table = sourceRows(source);
  document.getElementById("main").replaceChildren(
    make("div", { className: "intro" }, make("p", {}, link("All tasks", {})), make("h2", { textContent: source.name }), make("p", { className: "verdict", textContent: source.title })),
    section("What it is", source.facts.length ? "From its card." : "mirbench has no card of it: this is what records say.", make("dl", { className: "facts" }, ...lines)),
    section("Its rows", "Every system that learns from it, on every task. A blue edge: cannot be told apart from the best of its task.", scroller(`Rows of ${source.name}`, table)));
  settle();
  return sortable(table);
}
