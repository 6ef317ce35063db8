// On paper: light, in the width of a sheet, nothing cut.

const sheet = 1000; // pixels of A4 across, within its margins

/** Make a table that is wider than the sheet as small as it must be. */
function fitted(table) {
  table.style.zoom = "";
  const wide = table.scrollWidth;
  if (wide > sheet) table.style.zoom = (sheet / wide).toFixed(3);
}

addEventListener("beforeprint", () => {
  const root = document.documentElement;
  root.dataset.before = root.dataset.theme;
  root.dataset.theme = "light";
  root.classList.add("printing");
  for (const one of document.querySelectorAll("main details:not([open])")) {
    one.open = true;
    one.dataset.shut = "true";
  }
  for (const table of document.querySelectorAll("main table")) fitted(table);
  if (window.Plotly) {
    for (const element of figures.keys()) if (element.isConnected) drawNow(element, Math.min(element.clientWidth, sheet));
  }
});

addEventListener("afterprint", () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.before ?? root.dataset.theme;
  root.classList.remove("printing");
  for (const one of document.querySelectorAll("main details[data-shut]")) {
    one.open = false;
    delete one.dataset.shut;
  }
  for (const table of document.querySelectorAll("main table")) table.style.zoom = "";
  redraw();
});
