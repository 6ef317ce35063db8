// The record behind a row.

function pairs(lines) {
  return make("dl", {}, ...lines.map(([name, value, changed]) =>
    make("div", { className: changed ? "changed" : "" }, make("dt", { textContent: name }), make("dd", { textContent: value }))));
}

function part(title, ...content) {
  return make("section", {}, make("h3", { textContent: title }), ...content);
}

function folded(title, ...content) {
  return make("details", {}, make("summary", { textContent: title }), ...content);
}

/** In plain words, how sure the place of a row is. */
function verdict(board, row) {
  const best = board.rows.find((other) => other.rank != null);
  if (row.rank == null) return "Not ranked: it was not tested on the clips of the others.";
  if (row === best) return "The best of the table.";
  const p = `p = ${probability(row.p)}`.replace("= <", "<");
  return row.tied ? `Cannot be told apart from the best, ${best.label}: ${p}.` : `Significantly worse than the best, ${best.label}: ${p}.`;
}

function runsTable(board, record) {
  const heads = ["seed", "fold", board.metrics[0]?.title ?? "", "s/training", "finished", "key"];
  const lines = record.runs.map(([seed, fold, value, seconds, key, finished]) =>
    make("tr", {}, ...[seed, fold, fixed(value), brief(seconds), finished, key].map((text) => make("td", { className: "figure", textContent: text }))));
  return scroller("Runs", make("table", { className: "runs" }, make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col", className: "figure", textContent: text })))), make("tbody", {}, ...lines)));
}

function commandPart(record) {
  const code = make("code", { textContent: record.command });
  const copy = make("button", { type: "button", textContent: "Copy" });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(record.command);
      copy.textContent = "Copied";
    } catch { // not allowed: leave it selected
      getSelection().selectAllChildren(code);
      copy.textContent = "Selected";
    }
  });
  return part("To do it again", make("div", { className: "command" }, make("pre", { tabIndex: 0, role: "region", "aria-label": "Command" }, code), copy),
    ...record.notes.map((note) => make("p", { className: "said", textContent: note })));
}

function openRecord(board, key) {
  const row = board.rows.find((one) => one.key === key);
  if (!row) return;
  const { record } = row;
  const dialog = document.getElementById("record");
  const close = make("button", { type: "button", className: "close", textContent: "Close", onclick: () => dialog.close() });
  const numbers = board.metrics.filter((metric) => row.metrics[metric.name]).map((metric) => [metric.title, spread(row.metrics[metric.name])]);
  const spent = board.costs.filter((cost) => row.costs[cost.name] != null).map((cost) => [cost.title, costText(cost, row.costs[cost.name])]);
  const doors = [
    board.rows.length > 1 ? make("button", { type: "button", textContent: "Compare with another", onclick: () => { dialog.close(); openComparison(board, row.key); } }) : "",
    row.source ? link(`About ${row.source}`, { about: row.source }) : "",
  ];
  dialog.replaceChildren(
    make("div", { className: "top" }, make("h2", { id: "record-name", textContent: row.name }), close),
    make("p", { textContent: verdict(board, row) }),
    ...row.marks.map((mark) => make("p", { className: "said" }, make("span", { className: "badge", textContent: mark }), ` ${board.badges[mark]}`)),
    ...row.flags.map((flag) => make("p", { className: grave(row, flag) ? "warning" : "said", textContent: flag })),
    make("div", { className: "doors" }, ...doors),
    make("div", { className: "columns" },
      part("Result", pairs([...numbers, ["95 % interval", row.interval ? `${fixed(row.interval[0])} to ${fixed(row.interval[1])} (${row.interval[2]})` : missing], ["clips", record.clips]])),
      part("Cost", pairs(spent))),
    commandPart(record),
    part("What was asked", make("p", { className: "said", textContent: "In bold: what differs from its default, or was searched." }), pairs(record.asked)),
    ...(record.chosen.length ? [part("What the search chose", pairs(record.chosen))] : []),
    part("Runs", runsTable(board, record)),
    part("Hashes", pairs(record.hashes.filter(([, value]) => value))),
    part("Environment", ...record.environments.map((k, n) =>
      record.environments.length > 1 ? folded(`${n + 1} of ${record.environments.length}`, pairs(data.environments[k])) : pairs(data.environments[k]))),
  );
  showDialog(dialog, close, { record: key });
}

/** Open a dialog; what it shows is in the address until it closes. */
function showDialog(dialog, first, shown) {
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  first.focus();
  look(shown);
  dialog.onclose = () => look(Object.fromEntries(Object.keys(shown).map((name) => [name, ""])));
  dialog.onclick = (event) => event.target === dialog && dialog.close(); // the ground around it
}
