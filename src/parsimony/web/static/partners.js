// Partners of a drug, grouped by mechanism: on the pages of one drug and of a new one.
import { count, el, percent, plural, table } from "./dom.js";
import { address } from "./state.js";

// Groups in the order of their most probable partner; `link` gives the address of a pair's page.
export function grouped(partners, { hide = false, link = null } = {}) {
  const groups = new Map();
  partners.forEach((partner, i) => {
    if (hide && partner.known?.length) return;
    const key = partner.type ?? "";
    groups.set(key, [...(groups.get(key) ?? []), { ...partner, rank: i + 1 }]);
  });
  const shown = [...groups.values()].reduce((sum, rows) => sum + rows.length, 0);
  if (!shown) return [el("p", {}, "No partner is left: show the known ones, or ask for more.")];
  return [
    el("nav", { class: "contents", "aria-label": "Mechanisms" }, el("ul", {}, [...groups].map(([type, rows], i) =>
      el("li", {}, el("a", { href: `#mechanism-${i + 1}` }, words(type)), ` ${count(rows.length)}`)))),
    [...groups].map(([type, rows], i) => el("section", { "aria-labelledby": `mechanism-${i + 1}` },
      el("h3", { id: `mechanism-${i + 1}` }, words(type), " ", el("span", { class: "muted" }, plural(rows.length, "partner"))),
      table(`Partners: ${words(type)}`, [
        { head: "rank", n: true, cell: (p) => p.rank },
        { head: "partner", cell: (p) => (link ? el("a", { href: link(p), "aria-label": `Both together: ${p.drug}` }, p.drug) : el("b", {}, p.drug)) },
        { head: "probability", n: true, cell: (p) => percent(p.probability) },
        { head: "predicted", className: "said", cell: (p) => p.text },
        { head: "reason", className: "walk", cell: (p) => p.reason ?? "–" },
        { head: "in the data", cell: (p) => (p.known?.length ? p.known.map((k) => el("div", { class: "known" }, k.text === p.text ? `known, ${k.split.replace(/_.*/, "")}: the same` : `known, ${k.split.replace(/_.*/, "")}: ${k.text}`)) : el("span", { class: "muted" }, "predicted, not stated")) },
      ], rows, { className: "stack" }))),
  ];
}

export const words = (type) => { const text = String(type || "of any type").replaceAll("_", " "); return text[0].toUpperCase() + text.slice(1); };
export const pairAddress = (run, a, b) => address({ run, drug: [a, b] }, "/drugs");
