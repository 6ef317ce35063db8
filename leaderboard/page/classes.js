// Per class, and who is taken for whom.

/** What a column of scores is of. */
const columnOf = (board) => (board.kind === "regression" ? "target" : "class");

/** A cell whose ground is the stronger the closer its value is to 1. */
function shade(value, text) {
  const cell = make("td", { textContent: value == null ? missing : text, className: "figure shade", "data-order": value ?? "" });
  cell.style.setProperty("--share", Math.max(0, Math.min(1, value ?? 0)).toFixed(2));
  return cell;
}

/** The name of a row; what is not ranked has the diamond that it has in plots. */
function rowHead(row) {
  const sign = row.rank == null ? make("span", { title: "not ranked", textContent: "◇ " }) : "";
  return make("th", { scope: "row", title: row.label, "data-order": row.label }, sign, row.label);
}

function classTable(board) {
  const heads = [head("method + source"), ...board.classes.map((name) => head(name, { figure: true, first: "desc" }))];
  const lines = board.rows.filter((row) => row.classes.length).map((row) =>
    make("tr", {}, rowHead(row), ...row.classes.map((value) => shade(value, fixed(value, 2)))));
  return make("table", { className: "heat" }, make("caption", { className: "unseen", textContent: `${board.perClass} of each ${columnOf(board)}` }),
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
    make("caption", { className: "unseen", textContent: `Confusion matrix of ${row.label}` }),
    make("thead", {}, make("tr", {}, make("td"), ...board.classes.map(column))), make("tbody", {}, ...lines));
}
