// An explanation on the page: figures, deletion test, picture, paths by kind, edges and rules.
import { bar, button, count, el, fraction, held, list, notes, number, percent, plural, table } from "./dom.js";
import { pictured } from "./picture.js";

const STATED = { train: "stated in train", valid: "stated in validation", test: "stated in test" };

// The walk as text: A —r→ B, with the direction of the facts.
export function walk(steps, label, start) {
  return [el("b", {}, start), steps.map(([head, relation, tail, direction]) => {
    const inverse = direction === "inverse";
    return [" ", el("span", {}, el("span", { class: inverse ? "rel inverse" : "rel" }, label(relation)), " ", el("b", {}, label(inverse ? head : tail)))];
  })];
}

// A rule without its evidence, which has columns of its own.
const clause = (text) => text.replace(/^[\d.]+\s+(\d+\/\d+\s+)?/, "");
const supported = (text, support) => { const of = text.match(/\s\d+\/(\d+)\s/); return of ? `${count(support)} of ${count(Number(of[1]))}` : count(support); };

const computed = ([, relation]) => relation.startsWith("alike "); // likeness of structures is no stated fact

// `strike(...entries)` and `what(kind)` add buttons; without them the evidence is only shown. With
// `factsOnly`, a kind is struck out as the facts of its paths, entities and relations are not.
export function evidence(found, { strike = null, what = null, factsOnly = false } = {}) {
  const label = (name) => held(found.labels, name) ?? name;
  const view = found.view ?? {};
  const ends = found.side === "head" ? [found.query.tail, found.query.head] : [found.query.head, found.query.tail];
  const source = new Map((found.edges ?? []).map((edge) => [JSON.stringify(edge.fact), edge.stated]));
  const stated = (fact) => { if (computed(fact)) return "computed from the structures"; const split = source.get(JSON.stringify(fact)); return STATED[split] ?? split ?? "stated in the graph"; };
  const heaviest = Math.max(...found.paths.map((path) => path.weight ?? 0), 0);
  const kinds = found.kinds?.length ? found.kinds : (found.paths.length ? [{ text: "Paths", steps: [], paths: found.paths.map((_, i) => i) }] : []);
  const doubt = found.faithfulness && found.faithfulness.verdict !== "stands out";
  const facts = new Map();
  found.paths.forEach((path, i) => path.steps.forEach(([h, r, t]) => {
    const key = JSON.stringify([h, r, t]);
    facts.set(key, { fact: [h, r, t], paths: [...(facts.get(key)?.paths ?? []), i + 1] });
  }));
  const nodes = [...new Set([...facts.values()].flatMap((f) => [f.fact[0], f.fact[2]]))].filter((name) => !ends.includes(name));
  const used = [...new Set([...facts.values()].map((f) => f.fact[1]))];
  const named = (kind) => (kind.steps.length ? kind.steps.map(([r, direction]) => label(r) + (direction === "inverse" ? "⁻¹" : "")).join(" → ") : kind.text);
  const within = (kind) => kind.paths.flatMap((i) => found.paths[i].steps.map(([h, r, t]) => ["fact", h, r, t])).filter(([, ...fact]) => !computed(fact));
  const figures = view.facts ?? [["score", number(found.score)], ["model", found.model]];
  const struck = (entry, text) => button("Strike out", () => strike(...(entry[0] === "kind" && factsOnly ? entry[1] : [entry])), { "aria-label": `Strike out ${text}`, class: "small" });

  const sections = [["paths", "Paths", kinds.length], ["facts", "Facts", facts.size], ["rules", "Rules", found.rules?.length],
    ["parts", "What the score is made of", Object.keys(found.parts ?? {}).length], ["alike", "Similar known facts", found.likenesses?.length]].filter(([, , there]) => there);
  return [
    sections.length > 1 ? el("nav", { class: "contents", "aria-label": "Contents" }, el("ul", {}, sections.map(([id, name]) => el("li", {}, el("a", { href: `#${id}` }, name))))) : null,
    list("The answer in figures", figures.map(([name, value]) => [name, name === "probability" ? percent(found.probability) : value])),
    view.question || found.question ? el("p", {}, view.question || found.question) : null,
    view.faithfulness ? el("p", { class: "verdict", data: { verdict: found.faithfulness?.verdict ?? "" } }, view.faithfulness) : null,
    notes(found.notes),
    pictured(view.graph, { doubt, pick: strike && ((edge, note) => {
      if (edge.idle) return;
      const fact = edge.names ?? null;
      if (fact && !(factsOnly && computed(fact))) note.append(" ", struck(["fact", ...fact], edge.fact));
    }) }),
    kinds.length ? el("h2", { id: "paths" }, "Paths, by kind") : null,
    found.paths.length ? null : (found.no_path ? el("p", {}, `No path: ${found.no_path}.`) : null),
    kinds.map((kind, k) => el("section", { class: "kind", "aria-label": `Kind ${k + 1}: ${named(kind)}` },
      el("h3", {}, named(kind)),
      kind.rule ? el("p", { class: "clause" }, clause(kind.rule)) : null,
      el("p", { class: "caption" },
        [plural(kind.paths.length, "path"),
          kind.support !== null && kind.support !== undefined ? `support ${supported(kind.rule ?? "", kind.support)}` : "",
          kind.confidence !== null && kind.confidence !== undefined ? `confidence ${fraction(kind.confidence)}` : ""].filter(Boolean).join(" · ")),
      kind.steps.length && (strike || what) ? el("p", { class: "row" },
        strike && within(kind).length ? struck(["kind", factsOnly ? within(kind) : kind.steps], `all paths of the kind ${named(kind)}`) : null,
        what ? button("What else has this reason?", () => what(kind), { "aria-label": `What else has this reason? ${named(kind)}`, class: "small" }) : null) : null,
      table(`Paths of kind ${k + 1}`, [
        { head: "#", n: true, cell: (i) => i + 1 },
        { head: "weight", n: true, cell: (i) => [number(found.paths[i].weight), bar(heaviest > 0 ? found.paths[i].weight / heaviest : 0)] },
        { head: "path", className: "walk", cell: (i) => walk(found.paths[i].steps, label, label(ends[0])) },
      ], kind.paths, { className: "under" }))),
    found.path_order && found.paths.length ? el("p", { class: "caption" }, found.path_order, " Arrows have the direction of the facts.") : null,
    facts.size ? [el("h2", { id: "facts" }, "Facts on these paths"),
      table("Facts on the paths", [
        { head: "fact", cell: ({ fact }) => [el("b", {}, label(fact[0])), " ", el("span", { class: "rel" }, label(fact[1])), " ", el("b", {}, label(fact[2]))] },
        { head: "where from", cell: ({ fact }) => stated(fact) },
        { head: "on paths", n: true, cell: ({ paths }) => [...new Set(paths)].join(", ") },
        ...(strike ? [{ head: "", cell: ({ fact }) => (factsOnly && computed(fact) ? null : struck(["fact", ...fact], fact.map(label).join(" "))) }] : []),
      ], [...facts.values()]),
      strike && !factsOnly ? el("details", {}, el("summary", {}, "Strike out an entity or a whole relation"),
        el("ul", { class: "strikes" }, [...nodes.map((name) => ["node", name]), ...used.map((name) => ["relation", name])].map((entry) =>
          el("li", {}, el("span", {}, `${entry[0] === "node" ? "Entity" : "Relation"} `, el("b", {}, label(entry[1]))), " ", struck(entry, `${entry[0]} ${label(entry[1])}`))))) : null] : null,
    found.rules?.length ? [el("h2", { id: "rules" }, "Rules"),
      table("Rules", [
        { head: "confidence", n: true, cell: (rule) => fraction(rule.confidence) },
        { head: "support", n: true, cell: (rule) => supported(rule.text, rule.support) },
        { head: "rule", className: "clause", cell: (rule) => clause(rule.text) },
      ], found.rules, { className: "under" })] : null,
    parts(found),
    found.likenesses?.length ? [el("h2", { id: "alike" }, "Most similar known facts"),
      table("Most similar known facts", [
        { head: "similarity", n: true, cell: (known) => fraction(known.similarity) },
        { head: "known fact", cell: (known) => known.text },
      ], found.likenesses)] : null,
  ];
}

function parts(found) {
  const rows = Object.entries(found.parts ?? {});
  if (!rows.length) return null;
  const longest = Math.max(...rows.map(([, value]) => Math.abs(value ?? 0)));
  return [el("h2", { id: "parts" }, "What the score is made of"),
    table("Parts of the score", [
      { head: "part", cell: ([name]) => name },
      { head: "adds", n: true, cell: ([, value]) => [number(value), bar(longest ? value / longest : 0)] },
    ], rows),
    found.parts_note ? el("p", { class: "caption" }, found.parts_note) : null];
}
