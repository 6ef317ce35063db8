// The page: choice of task and theme, and the sections of a board.

const standings = { full: "Full data sets", excerpt: "Excerpts", own: "Somebody's own clips", synthesised: "Synthesised stand-ins" };

/** The board, and the record that is open, are in the address: it can be passed on. */
function remember(board, key = "") {
  history.replaceState(null, "", `#${encodeURIComponent(board.title)}${key ? `/${key}` : ""}`);
}

const explained = [
  ["±", "The standard deviation over seeds: how much the same system differs from itself when it is trained again. It says nothing of other clips."],
  ["95 % interval", "Where the value would lie on other clips like these and, with several seeds, on other seeds. Clips of one group (an artist, an album) count together, where groups are known."],
  ["rank", "One more than the number of systems that are significantly better, tested in pairs on the same clips and corrected for all pairs. Systems that share a rank are marked “=”; a blue edge marks those that cannot be told apart from the best."],
  ["costs", "Trainable: values moved by an optimiser (— for forests and kernel machines). Times are of training alone, with frozen parts from the cache; clips/s is from file to score with nothing cached."],
];

function reading() {
  return make("section", { className: "reading" }, make("h3", { textContent: "How to read it" }),
    make("dl", {}, ...explained.map(([name, said]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: said })))));
}

function show(board) {
  const ranked = board.rows.filter((row) => row.rank != null);
  const apart = board.rows.filter((row) => row.rank == null);
  const sections = [];
  const tables = [];
  const asTable = (rows, label) => {
    const table = ranking(board, rows, `${board.title}: ${label}`);
    tables.push(table);
    return scroller(label, table);
  };
  const live = [];
  if (ranked.length) sections.push(asTable(ranked, "Ranked systems"));
  if (apart.length) {
    sections.push(section("Not ranked", "Tested on fewer folds or on other clips than the rest: these numbers compare with nothing above.", asTable(apart, "Systems that are not ranked")));
  }
  if (board.rows.length) sections.unshift(filters(board, live));
  sections.push(footnotes(board));
  sections.push(reading());
  if (board.metrics.length) sections.push(...plotSections(board));
  if (board.problems.length) {
    sections.push(section("Without a result", "Runs that failed or were skipped, with their reasons.", make("ul", { className: "problems" }, ...board.problems.map((line) => make("li", { textContent: line })))));
  }
  const said = board.said ? make("p", { className: "warning", textContent: board.said }) : "";
  document.getElementById("main").replaceChildren(
    make("div", { className: "intro" }, make("h2", { textContent: board.title }), make("p", { className: "summary", textContent: board.summary }), said,
      make("p", { className: "verdict", textContent: board.verdict })),
    ...sections);
  for (const table of document.querySelectorAll("table.by-class")) sortable(table);
  return Promise.all(tables.map(async (table) => { const one = await sortable(table); if (one) live.push(one); })).then(() => whenIdle(drawRest));
}

function plotSections(board) {
  const found = [];
  const metric = board.metrics[0].title;
  found.push(section("Pareto front", `What ${metric} costs: the line joins the systems that none as cheap beats. Open diamonds are not ranked. A click on a point opens its record.`,
    make("div", { className: "panels" }, pareto(board, "trainable", "trainable values"), pareto(board, "train-seconds", "seconds of training"))));
  found.push(section("Intervals", "The value of each system with its 95 % interval; the band is that of the best. Blue: cannot be told apart from the best.", forest(board)));
  if (board.classes.length && board.rows.some((row) => row.classes.length)) {
    const table = classTable(board);
    table.classList.add("by-class");
    found.push(section("Per class", `${board.perClass} of each class, the mean over seeds. Diamonds are not ranked.`, scroller("Per class", table)));
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
  for (const [standing, label] of Object.entries(standings)) {
    const there = data.boards.map((board, k) => [board, k]).filter(([board]) => board.standing === standing);
    if (there.length) select.append(make("optgroup", { label }, ...there.map(([board, k]) => make("option", { value: k, textContent: board.title }))));
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

async function start() {
  startTheme();
  const select = document.getElementById("task");
  fillTasks(select);
  const [title, key] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const asked = Math.max(0, data.boards.findIndex((board) => board.title === title));
  select.value = String(asked);
  select.addEventListener("change", () => { const board = data.boards[select.value]; remember(board); show(board); });
  if (data.boards.length) await show(data.boards[asked]);
  else document.getElementById("main").replaceChildren(make("p", { className: "verdict", textContent: "There are no records yet." }));
  performance.mark("interactive");
  document.documentElement.dataset.ready = "true";
  if (key) openRecord(data.boards[asked], key);
}

let resizing;
let width = window.innerWidth;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => { if (width !== (width = window.innerWidth)) redraw(); }, 200);
});
start();
