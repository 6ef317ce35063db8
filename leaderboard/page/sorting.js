// Tables that can be sorted, and places that scroll where a table is wider than the window.

/** Let a table be sorted by its heads and filtered; cells without a value stay last. */
async function sortable(table, { order: first = [], hidden = [] } = {}) {
  const { default: DataTable } = await library("datatables");
  if (!table.isConnected) return null;
  const order = (sign) => (a, b) => (a === "" || b === "" ? (a === "") - (b === "") : sign * (Number(a) - Number(b)));
  if (!DataTable.type("figure").order?.asc) {
    DataTable.type("figure", { detect: () => false, order: { asc: order(1), desc: order(-1) } });
  }
  const columns = [...table.tHead.rows[0].cells].map((cell, place) => ({
    type: cell.dataset.kind === "figure" ? "figure" : "string", visible: !hidden.includes(place),
    orderSequence: cell.dataset.first === "desc" ? ["desc", "asc"] : ["asc", "desc"],
  }));
  const none = { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null };
  return new DataTable(table, {
    columns, order: first, paging: false, autoWidth: false, layout: none, language: { zeroRecords: "No system is left." },
  });
}

const head = (title, { said = "", figure = false, first = "asc" } = {}, ...more) =>
  make("th", { scope: "col", title: said, className: figure ? "figure" : "", "data-kind": figure ? "figure" : "text", "data-first": first }, title, ...more);

const figure = (text, value) => make("td", { textContent: text, className: "figure", "data-order": value ?? "" });

/** A mean with its deviation in a lighter tone. */
function spreadCell(value) {
  const cell = figure(value == null ? missing : fixed(value[0]), value?.[0]);
  if (value?.[1] != null) cell.append(make("span", { className: "deviation", textContent: ` ± ${fixed(value[1])}` }));
  return cell;
}

/** What scrolls by itself, and by the keyboard, where it does not fit. */
const scroller = (label, ...content) => make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": label }, ...content);

/** Where a table is wider than its place, that place scrolls both ways; elsewhere the heads stick to the window. */
function settle() {
  for (const place of document.querySelectorAll(".scroll")) {
    place.classList.remove("over");
    const table = place.querySelector("table");
    place.classList.toggle("over", Boolean(table) && table.offsetWidth > place.clientWidth + 1);
  }
}
