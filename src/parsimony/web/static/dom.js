// Elements from data. Text is always a text node: a name can never become markup.

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name in made && typeof value === "boolean") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// What a table holds under a name. Names are data: one may be "constructor" or "__proto__".
export const held = (table, name) => (table && Object.hasOwn(table, name) ? table[name] : undefined);

export const at = (id) => document.getElementById(id);
export const fill = (place, ...children) => { place.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false)); return place; };

export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(Number(value))) return "–";
  const size = Math.abs(value);
  if (value === 0) return "0";
  return size >= 1e5 || size < 1e-4 ? Number(value).toExponential(digits - 1) : String(Number(Number(value).toPrecision(digits)));
}
export const fraction = (value) => (Number.isFinite(value) ? value.toFixed(2) : "–");
export const count = (value) => (value === null || value === undefined ? "–" : Number(value).toLocaleString("en"));
export const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

export function percent(value) { // a probability, never rounded to certainty
  if (value === null || value === undefined) return "–";
  const share = 100 * value;
  if (share > 0 && share < 0.1) return "< 0.1 %";
  if (share < 100 && share > 99.9) return "> 99.9 %";
  return `${share.toFixed(1)} %`;
}

export function bar(share) {
  return svg("svg", { class: "bar", "aria-hidden": "true" },
    svg("rect", { width: `${Math.max(0, Math.min(100, 100 * share)).toFixed(1)}%`, height: "100%" }));
}

// A table: columns are {head, n, wide, cell(row, i)}; `row` may give attributes of a row.
export function table(caption, columns, rows, { row = () => ({}), className = "" } = {}) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", { class: className },
      el("caption", { class: "unseen" }, caption),
      el("thead", {}, el("tr", {}, columns.map((c) => el(c.head === "" ? "td" : "th", { scope: c.head === "" ? null : "col", class: [c.n ? "n" : "", c.className ?? ""].join(" ").trim() || null }, c.head)))),
      el("tbody", {}, rows.map((r, i) => el("tr", row(r, i),
        columns.map((c) => el("td", { data: { head: c.head }, class: [c.n ? "n" : "", c.className ?? ""].join(" ").trim() || null }, c.cell(r, i))))))));
}

export function notes(list) {
  return (list ?? []).map((note) => el("p", { class: "caption" }, note));
}

export function button(text, act, attributes = {}) {
  return el("button", { type: "button", ...attributes, on: { click: act } }, text);
}

export function list(label, items) { // pairs of name and value
  return el("ul", { class: "figures", "aria-label": label },
    items.map(([name, value]) => el("li", {}, el("span", {}, name), el("b", {}, value))));
}
