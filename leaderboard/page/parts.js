// Small things that the other parts share. Text from records reaches the page by textContent alone.

const data = JSON.parse(document.getElementById("data").textContent);

/** An element with properties, and children that are elements or texts. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/** Unpack a library and run it as a module, once. */
const library = (() => {
  const held = {};
  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
    const script = new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
    const url = URL.createObjectURL(new Blob([await script.text()], { type: "text/javascript" }));
    return import(url).finally(() => URL.revokeObjectURL(url));
  }
  return (id) => (held[id] ??= unpacked(id));
})();

const missing = "—";
const fixed = (value, digits = 3) => (value == null ? missing : value.toFixed(digits));
// a dash beside a minus would be read as one
const fromTo = ([low, high], digits = 3) => `${fixed(low, digits)}${low < 0 ? " to " : "–"}${fixed(high, digits)}`;
const whole = (value) => (value == null ? missing : value.toLocaleString("en"));
const brief = (value) =>
  value == null ? missing : value >= 1000 ? whole(Math.round(value)) : String(Number(value.toPrecision(3)));
const probability = (value) => (value == null ? missing : value < 0.001 ? "< 0.001" : value.toFixed(3));
/** The mean and the deviation over seeds, as text. */
const spread = (value) =>
  value == null ? missing : value[1] == null ? fixed(value[0]) : `${fixed(value[0])} ± ${fixed(value[1])}`;

/** A section of the page with a heading and a line that says what it shows. */
function section(title, said, ...content) {
  return make("section", {}, make("h3", { textContent: title }), make("p", { className: "said", textContent: said }), ...content);
}

/** A labelled choice among rows of a table. */
function chooser(label, rows, changed) {
  const select = make("select", {}, ...rows.map((row) => make("option", { value: row.key, textContent: row.label })));
  select.addEventListener("change", () => changed(rows[select.selectedIndex]));
  return make("label", { className: "choose" }, `${label} `, select);
}
