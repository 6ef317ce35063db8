// What is shown of a ranking, as a file: rows that are left, in their order, with the columns that are shown.

/** A text that no spreadsheet takes for a formula, as `mirbench.plain_text.csv_cell` writes it. */
function csvCell(value) {
  if (value == null) return "";
  let text = String(value);
  const isNumber = typeof value !== "string" || /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) || /^\s*[+-]?(inf|infinity|nan)\s*$/i.test(text);
  if (!isNumber && "=+-@＝＋－＠".includes(text.trimStart()[0] ?? " ")) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A dict a row. */
function shownRows(board, live) {
  const rowOf = Object.fromEntries(board.rows.map((row) => [row.key, row]));
  return live.flatMap(({ columns, api }) => {
    const there = columns.filter((_, k) => api.column(k).visible());
    const keys = api.rows({ search: "applied", order: "applied" }).nodes().toArray().map((line) => line.dataset.key);
    return keys.map((key) => Object.assign({}, ...there.map((column) => column.values(rowOf[key]))));
  });
}

function asCsv(rows) {
  const names = [...new Set(rows.flatMap(Object.keys))];
  return [names, ...rows.map((row) => names.map((name) => row[name]))].map((line) => line.map(csvCell).join(",")).join("\n") + "\n";
}

function asJson(board, rows) {
  const { words, method, source, clean, sort } = view;
  const said = { task: board.title, standing: board.standing, mirbench: data.over.version, newest_run: data.over.newest, shown: { words, method, source, clean: Boolean(clean), sort } };
  return JSON.stringify({ ...said, systems: rows }, null, 1) + "\n";
}

function save(text, type, name) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function saveButtons(board, live) {
  const name = board.title.replace(/[^\w.+-]+/g, "_");
  const button = (kind, said) => make("button", { type: "button", textContent: kind, title: `Save what is shown as ${kind}`, "aria-label": `Save as ${kind}`, onclick: said });
  return [
    button("CSV", () => save(asCsv(shownRows(board, live)), "text/csv", `${name}.csv`)),
    button("JSON", () => save(asJson(board, shownRows(board, live)), "application/json", `${name}.json`)),
  ];
}
