// The ranking of a task: its rows, what narrows them, which columns are shown.

/** What came of known test clips is a badge; flags that many rows share have a mark and a note below the table. */
const grave = (row, flag) => row.contaminated.length > 0 && /^(source trained on|what the source was trained on)/.test(flag);
const marks = ["†", "‡", "§", "¶"];
const marked = (board) => [...new Set(board.rows.flatMap((row) => row.flags.filter((flag) => !grave(row, flag) && !flag.startsWith("only fold"))))];
const markOf = (place) => marks[place] ?? String(place + 1);

/** A word in a frame, with what it means for eyes that hover and for ears. */
function badge(word, said, serious = false) {
  return make("span", { className: serious ? "badge grave" : "badge", title: said }, word, make("span", { className: "unseen", textContent: ` (${said})` }));
}

/** Marks that every row of a table has are said once, above it. */
const everywhere = (board) => Object.keys(board.badges).filter((mark) => board.rows.length > 1 && board.rows.every((row) => row.marks.includes(mark)));

function badges(board, row) {
  const shared = everywhere(board);
  const found = row.marks.filter((mark) => !shared.includes(mark)).map((mark) => badge(mark, board.badges[mark]));
  for (const flag of row.flags.filter((each) => grave(row, each))) {
    found.push(badge(row.contaminated.some((name) => name !== "unknown") ? "trained on this data" : "training data unknown", flag, true));
  }
  return found;
}

function nameCell(board, row) {
  const noted = marked(board);
  const signs = row.flags.filter((flag) => noted.includes(flag)).map((flag) =>
    make("sup", { title: flag }, make("span", { "aria-hidden": "true", textContent: markOf(noted.indexOf(flag)) }), make("span", { className: "unseen", textContent: ` (${flag})` })));
  const open = make("button", { type: "button", className: "open", "aria-haspopup": "dialog" }, row.name, ...signs);
  const held = badges(board, row);
  return make("th", { scope: "row", "data-order": row.name, "data-search": [row.name, ...row.marks, ...row.flags].join(" ") }, open,
    held.length ? make("span", { className: "badges" }, ...held) : "");
}

/** What badges and marks of the table mean. */
function footnotes(board) {
  const shared = everywhere(board);
  const lines = [
    ...Object.entries(board.badges).filter(([mark]) => !shared.includes(mark)).map(([mark, said]) => [make("span", { className: "badge", textContent: mark }), ` ${said}`]),
    ...(board.rows.some((row) => row.contaminated.length) ? [[make("span", { className: "badge grave", textContent: "trained on this data" }), " the source may have heard the test clips before: its score may say less of new music"]] : []),
    ...marked(board).map((flag, k) => [`${markOf(k)} ${flag}`]), ...board.notes.map((note) => [note]),
  ];
  return lines.length ? make("ul", { className: "notes" }, ...lines.map((line) => make("li", {}, ...line))) : "";
}

function rankCell(row, rows) {
  if (row.rank == null) return make("td", { className: "figure", textContent: missing, "data-order": "" });
  const shared = rows.filter((other) => other.rank === row.rank).length > 1;
  const said = shared ? make("span", { className: "unseen", textContent: "shared " }) : "";
  return make("td", { className: "figure rank", "data-order": row.rank }, said, `${shared ? "=" : ""}${row.rank}`);
}

/** The table of some rows of a board. */
function ranking(board, rows, columns, caption) {
  const body = make("tbody", {}, ...rows.map((row) =>
    make("tr", { className: row.tied ? "tied" : "", "data-key": row.key }, ...columns.map((column) => column.cell(row)))));
  body.addEventListener("click", (event) => {
    const key = event.target.closest("tr")?.dataset.key;
    if (key) openRecord(board, key);
  });
  return make("table", { className: "ranking" }, make("caption", { className: "unseen", textContent: caption }),
    make("thead", {}, make("tr", {}, ...columns.map((column) => column.head()))), body);
}

/** Names of the columns that are shown: those that were chosen, or as many as fit. */
function shownColumns(board, table, columns) {
  const asked = view.columns.split(",").filter((name) => columns.some((column) => column.name === name));
  return asked.length ? [...always, ...asked] : fitting(board, table, columns, table.parentElement.clientWidth);
}

/** Make a table of a board live: sorted, and with the columns that are chosen or fit. */
async function enliven(board, one, live) {
  const { table, columns } = one;
  const names = shownColumns(board, table, columns);
  const place = (name) => columns.findIndex((column) => column.name === name);
  const [name, way] = view.sort.split(":");
  const hidden = columns.map((column, k) => (names.includes(column.name) ? -1 : k)).filter((k) => k >= 0);
  one.api = await sortable(table, { hidden, order: place(name) >= 0 && ["asc", "desc"].includes(way) ? [[place(name), way]] : [] });
  if (!one.api) return;
  applyColumns(board, one, names);
  live.push(one);
  one.api.on("order", () => {
    const [first] = one.api.order();
    const [at, how] = Array.isArray(first) ? first : [first?.idx, first?.dir];
    if (columns[at] && how) look({ sort: `${columns[at].name}:${how}` });
  });
}

/** Show these columns and no others; of columns that were not chosen, none that makes the table wider than its place. */
function applyColumns(board, { table, columns, api }, names) {
  const show = () => {
    columns.forEach((column, k) => api.column(k).visible(names.includes(column.name), false));
    table.classList.toggle("no-interval", !names.includes("interval"));
  };
  show();
  const order = priority(board).filter((name) => names.includes(name));
  while (!view.columns && order.length > 3 && table.offsetWidth > table.parentElement.clientWidth) { // heads that sort are wider
    names = names.filter((name) => name !== order.at(-1));
    order.pop();
    show();
  }
}

/** Show the columns that are chosen, or as many as fit. */
function showColumns(board, live) {
  for (const one of live) {
    if (!view.columns) one.columns.forEach((_, k) => one.api.column(k).visible(true, false));
    applyColumns(board, one, shownColumns(board, one.table, one.columns));
  }
  settle();
}

/** Boxes to choose columns by. */
function columnChooser(board, live) {
  const names = () => live[0].columns.filter((_, k) => live[0].api.column(k).visible()).map((column) => column.name);
  const summary = make("summary", { textContent: "Columns" });
  const list = make("div", { className: "menu", role: "group", "aria-label": "Columns" });
  const menu = make("details", { className: "columns-menu" }, summary, list);
  const fill = () => {
    const shown = names();
    const free = live[0].columns.filter((column) => !always.includes(column.name));
    summary.textContent = `Columns: ${shown.length} of ${live[0].columns.length}`;
    const fit = make("button", { type: "button", textContent: "As many as fit", onclick: () => { look({ columns: "" }); showColumns(board, live); fill(); } });
    list.replaceChildren(...free.map((column) => {
      const box = make("input", { type: "checkbox", checked: shown.includes(column.name) });
      box.addEventListener("change", () => {
        const wanted = free.filter((each) => (each === column ? box.checked : names().includes(each.name))).map((each) => each.name);
        look({ columns: wanted.join(",") || always[1] });
        showColumns(board, live);
        summary.textContent = `Columns: ${names().length} of ${live[0].columns.length}`;
      });
      return make("label", {}, box, ` ${column.title}`);
    }), fit);
  };
  menu.addEventListener("keydown", (event) => { if (event.key === "Escape" && menu.open) { menu.open = false; summary.focus(); } });
  menu.refill = () => { if (live.length) fill(); };
  return menu;
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

/** What narrows the tables of a board; `live` has each as it becomes sortable. */
function filters(board, live) {
  const choice = (label, values, chosen) => {
    const select = make("select", { "aria-label": label }, make("option", { value: "", textContent: `${label}: all` }),
      ...values.map((value) => make("option", { value, textContent: value || "without a source" })));
    select.value = values.includes(chosen) ? chosen : "";
    return select;
  };
  const text = make("input", { type: "search", placeholder: "Filter by words", "aria-label": "Filter by words", value: view.words });
  const method = choice("Method", families(board.rows), view.method);
  const sources = [...new Set(board.rows.map((row) => row.source))].filter(Boolean).sort();
  const source = choice("Source", sources, view.source);
  const clean = make("input", { type: "checkbox", checked: Boolean(view.clean) });
  const left = make("output", { className: "left" });
  const rowOf = Object.fromEntries(board.rows.map((row) => [row.key, row]));
  const kept = (key) => {
    const row = rowOf[key];
    return belongs(row.method, method.value) && (!source.value || row.source === source.value) && !(clean.checked && row.contaminated.length);
  };
  const apply = () => {
    let count = 0;
    for (const { api } of live) {
      api.search(text.value).search.fixed("chosen", (_, __, index) => kept(api.row(index).node().dataset.key)).draw();
      count += api.rows({ search: "applied" }).count();
    }
    left.textContent = count === board.rows.length ? `${count} systems` : `${count} of ${board.rows.length} systems`;
  };
  for (const control of [text, method, source, clean]) {
    control.addEventListener("input", () => {
      look({ words: text.value, method: method.value, source: source.value, clean: clean.checked ? "yes" : "" });
      apply();
    });
  }
  const contaminated = board.rows.some((row) => row.contaminated.length);
  const box = contaminated ? make("label", { className: "clean" }, clean, " without contaminated sources") : "";
  const menu = columnChooser(board, live);
  const two = make("button", { type: "button", textContent: "Compare two", onclick: () => openComparison(board) });
  left.textContent = `${board.rows.length} systems`;
  const form = make("form", { className: "filters", role: "search", "aria-label": "Systems", onsubmit: (event) => event.preventDefault() },
    text, method, sources.length > 1 ? source : "", box, make("span", { className: "tools" }, left, menu, board.rows.length > 1 ? two : "", ...saveButtons(board, live)));
  form.ready = () => {
    menu.refill();
    if (view.words || method.value || source.value || clean.checked) apply();
  };
  return form;
}
