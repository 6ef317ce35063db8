// Tables: the ranking, classes, confusion.

/** Whole numbers for counts, three digits for what is measured. */
const costText = (cost, value) => (["trainable", "total"].includes(cost.name) ? whole : brief)(value);

/** Let a table be sorted by its heads and filtered; cells without a value stay last. */
async function sortable(table, first = []) {
  const { default: DataTable } = await library("datatables");
  if (!table.isConnected) return null;
  const order = (sign) => (a, b) => (a === "" || b === "" ? (a === "") - (b === "") : sign * (Number(a) - Number(b)));
  if (!DataTable.type("figure").order?.asc) {
    DataTable.type("figure", { detect: () => false, order: { asc: order(1), desc: order(-1) } });
  }
  const columns = [...table.tHead.rows[0].cells].map((cell) => ({
    type: cell.dataset.kind === "figure" ? "figure" : "string",
    orderSequence: cell.dataset.first === "desc" ? ["desc", "asc"] : ["asc", "desc"],
  }));
  const none = { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null };
  return new DataTable(table, {
    columns, order: first, paging: false, autoWidth: false, layout: none, language: { zeroRecords: "No system is left." },
  });
}

const head = (title, { said = "", figure = false, first = "asc", wide = false } = {}) =>
  make("th", {
    scope: "col", textContent: title, title: said, className: [figure && "figure", wide && "wide"].filter(Boolean).join(" "),
    "data-kind": figure ? "figure" : "text", "data-first": first,
  });

const figure = (text, value, wide = false) =>
  make("td", { textContent: text, className: wide ? "figure wide" : "figure", "data-order": value ?? "" });

/** A mean with its deviation in a lighter tone. */
function spreadCell(value, wide = false) {
  const cell = figure(value == null ? missing : fixed(value[0]), value?.[0], wide);
  if (value?.[1] != null) cell.append(make("span", { className: "deviation", textContent: ` ± ${fixed(value[1])}` }));
  return cell;
}

/** A bar from the low to the high end, a tick at the mean, on the scale of the table. */
function intervalCell(row, metric, scale) {
  if (!row.interval) return figure(missing, null);
  const [low, high, method] = row.interval;
  const at = (value) => `${(100 * (value - scale[0])) / (scale[1] - scale[0] || 1)}%`;
  const bar = make("span", { className: "bar", "aria-hidden": "true" }, make("span"));
  bar.style.setProperty("--low", at(low));
  bar.style.setProperty("--high", at(high));
  bar.style.setProperty("--mean", at(row.metrics[metric]?.[0] ?? low));
  const text = make("span", { textContent: `${fixed(low, 2)}–${fixed(high, 2)}` });
  return make("td", { className: "interval", title: method, "data-order": low }, bar, text);
}

/** Flags that many rows share have a mark and a note below the table; what came of known test clips is said in full. */
const grave = (row, flag) => row.contaminated.length > 0 && /^(source trained on|what the source was trained on)/.test(flag);
const marks = ["†", "‡", "§", "¶"];
const marked = (board) => [...new Set(board.rows.flatMap((row) => row.flags.filter((flag) => !grave(row, flag) && !flag.startsWith("only fold"))))];
const markOf = (place) => marks[place] ?? String(place + 1);

function nameCell(board, row) {
  const noted = marked(board);
  const flags = row.flags.filter((flag) => grave(row, flag)).map((flag) => make("span", { className: "flag", textContent: flag }));
  const signs = row.flags.filter((flag) => noted.includes(flag)).map((flag) =>
    make("sup", { title: flag }, make("span", { "aria-hidden": "true", textContent: markOf(noted.indexOf(flag)) }), make("span", { className: "unseen", textContent: ` (${flag})` })));
  const open = make("button", { type: "button", className: "open", "aria-haspopup": "dialog" }, row.name, ...signs);
  return make("th", { scope: "row", "data-order": row.name, "data-search": [row.name, ...row.flags].join(" ") }, open, ...flags);
}

function footnotes(board) {
  const noted = marked(board);
  const said = [...noted.map((flag, k) => `${markOf(k)} ${flag}`), ...board.marks];
  return said.length ? make("p", { className: "said notes", textContent: said.join(" · ") }) : "";
}

function rankCell(row, rows) {
  if (row.rank == null) return make("td", { className: "figure", textContent: missing, "data-order": "" });
  const shared = rows.filter((other) => other.rank === row.rank).length > 1;
  const said = shared ? make("span", { className: "unseen", textContent: "shared " }) : "";
  return make("td", { className: "figure rank", "data-order": row.rank }, said, `${shared ? "=" : ""}${row.rank}`);
}

/** The table of some rows of a board. */
function ranking(board, rows, caption) {
  const [primary, ...others] = board.metrics;
  const ends = board.rows.flatMap((row) => (row.interval ? row.interval.slice(0, 2) : []));
  const scale = [Math.min(...ends), Math.max(...ends)];
  const ranked = rows.some((row) => row.rank != null);
  const heads = [
    ranked ? head("rank", { said: "1 + the systems that are significantly better", figure: true }) : null,
    head("method + source"),
    head(primary.title, { said: "mean ± standard deviation over seeds", figure: true, first: primary.higher ? "desc" : "asc" }),
    head("95 % interval", { said: "over clips", figure: true, first: primary.higher ? "desc" : "asc" }),
    ranked ? head("p vs best", { said: "corrected for all pairs of the table", figure: true, first: "desc", wide: true }) : null,
    ...board.costs.map((cost) => head(cost.title, { said: cost.said, figure: true, first: cost.higher ? "desc" : "asc", wide: true })),
    ...others.map((metric) => head(metric.title, { figure: true, first: metric.higher ? "desc" : "asc", wide: true })),
    head("runs", { wide: true }),
  ];
  const line = (row) => {
    const cells = [
      ranked ? rankCell(row, board.rows) : null,
      nameCell(board, row),
      spreadCell(row.metrics[primary.name]),
      intervalCell(row, primary.name, scale),
      ranked ? figure(probability(row.p), row.p, true) : null,
      ...board.costs.map((cost) => figure(costText(cost, row.costs[cost.name]), row.costs[cost.name], true)),
      ...others.map((metric) => spreadCell(row.metrics[metric.name], true)),
      make("td", { className: "wide", textContent: row.runs }),
    ];
    return make("tr", { className: row.tied ? "tied" : "", "data-key": row.key }, ...cells.filter(Boolean));
  };
  const body = make("tbody", {}, ...rows.map(line));
  body.addEventListener("click", (event) => {
    const key = event.target.closest("tr")?.dataset.key;
    if (key) openRecord(board, key);
  });
  return make("table", { className: "ranking" }, make("caption", { className: "unseen", textContent: caption }),
    make("thead", {}, make("tr", {}, ...heads.filter(Boolean))), body);
}

/** Beginnings and ends that methods share, "probe-…", then the methods themselves. */
function families(rows) {
  const methods = [...new Set(rows.map((row) => row.method))].sort();
  const tested = methods.filter((name) => name.includes("-")).flatMap((name) => {
    const words = name.split("-");
    return [`${words[0]}-…`, `…-${words.at(-1)}`];
  });
  const family = (pattern) => methods.filter((name) => belongs(name, pattern));
  const shared = [...new Set(tested)].filter((pattern) => family(pattern).length > 1).sort();
  return [...shared, ...methods];
}

function belongs(method, pattern) {
  if (pattern.endsWith("-…")) return method.startsWith(pattern.slice(0, -1));
  if (pattern.startsWith("…-")) return method.endsWith(pattern.slice(1));
  return !pattern || method === pattern;
}

/** What narrows the tables of a board; `tables` gets each as it becomes sortable. */
function filters(board, tables) {
  const choice = (label, values) =>
    make("select", { "aria-label": label }, make("option", { value: "", textContent: `${label}: all` }),
      ...values.map((value) => make("option", { value, textContent: value || "without a source" })));
  const text = make("input", { type: "search", placeholder: "Filter by words", "aria-label": "Filter by words" });
  const method = choice("Method", families(board.rows));
  const sources = [...new Set(board.rows.map((row) => row.source))].filter(Boolean).sort();
  const source = choice("Source", sources);
  const clean = make("input", { type: "checkbox" });
  const left = make("output", { className: "left" });
  const rowOf = Object.fromEntries(board.rows.map((row) => [row.key, row]));
  const kept = (key) => {
    const row = rowOf[key];
    return belongs(row.method, method.value) && (!source.value || row.source === source.value) &&
      !(clean.checked && row.contaminated.length);
  };
  const apply = () => {
    let count = 0;
    for (const table of tables) {
      table.search(text.value).search.fixed("chosen", (_, __, index) => kept(table.row(index).node().dataset.key)).draw();
      count += table.rows({ search: "applied" }).count();
    }
    left.textContent = count === board.rows.length ? `${count} systems` : `${count} of ${board.rows.length} systems`;
  };
  for (const control of [text, method, source, clean]) control.addEventListener("input", apply);
  left.textContent = `${board.rows.length} systems`;
  const box = board.rows.some((row) => row.contaminated.length)
    ? make("label", { className: "clean" }, clean, " without contaminated sources") : "";
  return make("form", { className: "filters", role: "search", "aria-label": "Systems", onsubmit: (event) => event.preventDefault() },
    text, method, source.length > 2 ? source : "", box, left);
}

/** A cell whose ground is the stronger the closer its value is to 1. */
function shade(value, text) {
  const cell = make("td", { textContent: value == null ? missing : text, className: "figure shade", "data-order": value ?? "" });
  cell.style.setProperty("--share", Math.max(0, Math.min(1, value ?? 0)).toFixed(2));
  return cell;
}

/** The name of a row; what is not ranked has the diamond that it has in plots. */
function rowHead(row) {
  const sign = row.rank == null ? make("span", { title: "not ranked", textContent: "◇ " }) : "";
  return make("th", { scope: "row", title: row.name, "data-order": row.name }, sign, row.name);
}

function classTable(board) {
  const heads = [head("method + source"), ...board.classes.map((name) => head(name, { figure: true, first: "desc" }))];
  const lines = board.rows.filter((row) => row.classes.length).map((row) =>
    make("tr", {}, rowHead(row), ...row.classes.map((value) => shade(value, fixed(value, 2)))));
  return make("table", { className: "heat" }, make("caption", { className: "unseen", textContent: `${board.perClass} of each class` }),
    make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...lines));
}

function confusionTable(board, row) {
  const size = board.classes.length;
  const count = Array.from({ length: size }, () => Array(size).fill(0));
  for (const [i, j, n] of row.confusion) count[i][j] = n;
  const column = (name) => make("th", { scope: "col", className: "figure", title: name, textContent: name });
  const lines = count.map((line, i) => {
    const total = line.reduce((sum, n) => sum + n, 0);
    return make("tr", {}, make("th", { scope: "row", textContent: board.classes[i] }),
      ...line.map((n, j) => {
        const cell = shade(total ? n / total : 0, n ? String(n) : "·");
        if (i === j) cell.classList.add("hit");
        return cell;
      }));
  });
  return make("table", { className: "heat confusion" },
    make("caption", { className: "unseen", textContent: `Confusion matrix of ${row.name}` }),
    make("thead", {}, make("tr", {}, make("td"), ...board.classes.map(column))), make("tbody", {}, ...lines));
}
