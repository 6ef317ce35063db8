// The page: which screen is shown, the theme, and the sections of a task.

const explained = (board) => [
  ["±", "The standard deviation over seeds: how much the same system differs from itself when it is trained again; none where all seeds predicted the same to the bit (“all equal”). It says nothing of other clips."],
  ["95 % interval", "Where the value would lie on other clips like these and, with several seeds, on other seeds. Clips of one group (an artist, an album) count together, where groups are known."],
  ...(board.chance == null ? [] : [["chance", `${fixed(board.chance)}: what one answer for all clips scores, ${board.kind === "regression" ? "the mean of the values here" : "with each class as often as it is here"}. The dotted line in the bars.`]]),
  ["rank", "One more than the number of systems that are significantly better, tested in pairs on the same clips and corrected for all pairs. Systems that share a rank are marked “=”; a blue edge marks those that cannot be told apart from the best."],
  ["costs", "Trainable: values moved by an optimiser (— for forests and kernel machines). Times are of training alone, with frozen parts from the cache; clips/s is from file to score with nothing cached."],
];

function reading(board) {
  return make("section", { className: "reading" }, make("h3", { textContent: "How to read it" }),
    make("dl", {}, ...explained(board).map(([name, said]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: said })))));
}

let live = []; // the rankings that are shown: { table, columns, api }
let shown = null; // the board that is shown

function showTask(board) {
  const ranked = board.rows.filter((row) => row.rank != null);
  const apart = board.rows.filter((row) => row.rank == null);
  const sections = [];
  const tables = [];
  live = [];
  shown = board;
  const asTable = (rows, label) => {
    const columns = columnsOf(board, rows.some((row) => row.rank != null));
    const table = ranking(board, rows, columns, `${board.title}: ${label}`);
    tables.push({ table, columns });
    return scroller(label, table);
  };
  if (ranked.length) sections.push(asTable(ranked, "Ranked systems"));
  if (apart.length) {
    sections.push(section("Not ranked", "Tested on fewer folds or on other clips than the rest: these numbers compare with nothing above.", asTable(apart, "Systems that are not ranked")));
  }
  const controls = board.rows.length ? filters(board, live) : "";
  if (controls) sections.unshift(controls);
  sections.push(footnotes(board));
  sections.push(reading(board));
  if (board.metrics.length) sections.push(...plotSections(board));
  if (board.problems.length) {
    sections.push(section("Without a result", "Runs that failed or were skipped, with their reasons.", make("ul", { className: "problems" }, ...board.problems.map((line) => make("li", { textContent: line })))));
  }
  const said = board.said ? make("p", { className: "warning", textContent: board.said }) : "";
  const shared = everywhere(board).map((mark) => make("p", { className: "summary" }, badge(mark, board.badges[mark]), ` Every row — ${board.badges[mark]}.`));
  document.getElementById("main").replaceChildren(
    make("div", { className: "intro" }, make("h2", { textContent: board.title }), make("p", { className: "summary", textContent: board.summary }), said,
      make("p", { className: "verdict", textContent: board.verdict }), ...shared),
    ...sections);
  for (const table of document.querySelectorAll("table.by-class")) sortable(table);
  const current = live;
  return Promise.all(tables.map((one) => enliven(board, one, current))).then(() => {
    if (current !== live) return;
    if (controls) controls.ready();
    settle();
  });
}

function plotSections(board) {
  const found = [];
  if (board.costs.length) found.push(paretoSection(board));
  found.push(section("Intervals", "The value of each system with its 95 % interval; the band is that of the best. Blue: cannot be told apart from the best.", forest(board)));
  if (board.classes.length && board.rows.some((row) => row.classes.length)) {
    const table = classTable(board);
    table.classList.add("by-class");
    found.push(section(`Per ${columnOf(board)}`, `${board.perClass} of each ${columnOf(board)}, the mean over seeds. Diamonds are not ranked.`, scroller(`Per ${columnOf(board)}`, table)));
  }
  const confused = board.rows.filter((row) => row.confusion.length);
  if (board.classes.length && confused.length) {
    const place = scroller("Confusion matrix", confusionTable(board, confused[0]));
    found.push(section("Confusion matrix", "Test clips over all folds and seeds of one system. Rows: what a clip is; columns: what it is taken for.",
      chooser("System", confused, (row) => place.replaceChildren(confusionTable(board, row))), place));
  }
  const learnt = board.rows.filter((row) => row.history.length);
  if (learnt.length) {
    const place = make("div", { className: "panels" });
    const fill = (row) => {
      const measures = Object.keys(row.history[0].values);
      const losses = measures.filter((name) => name.includes("loss"));
      const scores = measures.filter((name) => !name.includes("loss"));
      place.replaceChildren(...(losses.length ? [learning(board, row, losses, "loss")] : []), ...(scores.length ? [learning(board, row, scores, scores.length > 1 ? "value" : scores[0].replace("_", " "))] : []));
    };
    fill(learnt[0]);
    found.push(section("Learning curves", "A line is one run: a seed on a fold. Valid chooses the epoch that is kept.", chooser("System", learnt, fill), place));
  }
  found.push(...board.curves.map((curve) => curves(board, curve)));
  return found;
}

function fillTasks(select) {
  select.append(make("option", { value: "", textContent: "All tasks" }));
  for (const [standing, label] of Object.entries(standings)) {
    const there = data.boards.filter((board) => board.standing === standing);
    if (there.length) select.append(make("optgroup", { label }, ...there.map((board) => make("option", { value: board.title, textContent: board.title }))));
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById("theme").textContent = theme === "dark" ? "Switch to light" : "Switch to dark";
}

function startTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("mirbench-theme"); } catch { return null; } };
  setTheme(stored() ?? (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => { if (!stored()) { setTheme(dark.matches ? "dark" : "light"); redraw(); } });
  document.getElementById("theme").addEventListener("click", () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("mirbench-theme", theme); } catch { /* a file may have no storage */ }
    setTheme(theme);
    redraw();
  });
}

/** Show what the address says: a source, a task, or all of them; a record or a comparison above it. */
async function show() {
  for (const dialog of document.querySelectorAll("dialog[open]")) { dialog.onclose = null; dialog.close(); }
  const main = document.getElementById("main");
  const source = data.sources.find((one) => one.name === view.about);
  const board = data.boards.find((one) => one.title === view.task) ?? (data.boards.length === 1 && !source ? data.boards[0] : null);
  const { record, compare } = view;
  document.getElementById("task").value = board && !source ? board.title : "";
  [live, shown] = [[], null];
  if (!data.boards.length) main.replaceChildren(make("p", { className: "verdict", textContent: "There are no records yet." }));
  else if (source) await showSource(source);
  else if (board) await showTask(board);
  else await showOverview();
  whenIdle(drawRest);
  if (board && record) openRecord(board, record);
  else if (board && compare) openComparison(board, ...compare.split(","));
}

/** Go to another screen. */
function go(where) {
  look(where, { step: true });
  scrollTo(0, 0);
  return show();
}

async function start() {
  startTheme();
  readAddress();
  const select = document.getElementById("task");
  fillTasks(select);
  select.addEventListener("change", () => go({ ...blank, task: select.value }));
  document.querySelector("header h1").replaceChildren(link(data.title, {}));
  addEventListener("popstate", () => { readAddress(); show(); });
  await show();
  performance.mark("interactive");
  document.documentElement.dataset.ready = "true";
}

let resizing;
let width = window.innerWidth;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => {
    if (width === (width = window.innerWidth)) return;
    if (shown) showColumns(shown, live);
    settle();
    redraw();
  }, 200);
});
document.addEventListener("click", (event) => { // a menu closes when something else is clicked
  for (const menu of document.querySelectorAll("details.columns-menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
start();
