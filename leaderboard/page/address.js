// What is looked at, and how. It is in the address, which can be passed on: #task=gtzan&words=svm&sort=accuracy:desc

const blank = { task: "", about: "", record: "", compare: "", words: "", method: "", source: "", clean: "", columns: "", sort: "", cost: "" };
const view = { ...blank };

/** Read the address; "#TASK/KEY" is that of older pages. */
function readAddress() {
  const text = location.hash.slice(1);
  let said = new URLSearchParams(text);
  if (text && !text.includes("=")) {
    const [task, record = ""] = text.split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
    said = new URLSearchParams({ task, record });
  }
  for (const name of Object.keys(blank)) view[name] = said.get(name) ?? "";
}

const address = (what) => `#${new URLSearchParams(Object.entries(what).filter(([, value]) => value))}`;

/** Change what is looked at; another screen is a step that one can go back, a filter is none. */
function look(changes, { step = false } = {}) {
  Object.assign(view, changes);
  const now = address(view);
  if (now === (location.hash || "#")) return;
  history[step ? "pushState" : "replaceState"](null, "", now === "#" ? location.pathname + location.search : now);
}

/** A link to another screen of this page, which is a step back and forth. */
function link(text, where, properties = {}) {
  const anchor = make("a", { href: address(where), ...properties }, text);
  anchor.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab
    event.preventDefault();
    go({ ...blank, ...where });
  });
  return anchor;
}
