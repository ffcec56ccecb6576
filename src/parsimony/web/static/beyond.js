// Beyond the model's own reasons: kinds of paths that degrees do not explain, facts that would help.
import { button, count, el, fill, fraction, notes, number, table } from "./dom.js";
import { failure, get, job, ofRun, Refused } from "./api.js";

const named = (kind, label) => kind.steps.map(([r, direction]) => label(r) + (direction === "inverse" ? "⁻¹" : "")).join(" → ");

async function asked(run, verb, body, place, shown) {
  try {
    const found = await job(run.id, verb, body, place);
    if (found) fill(place, shown(found));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    fill(place, failure(error));
  }
}

export function secondOpinion(run, q, label, place) {
  return asked(run, "second-opinion", q, place, (found) => [
    el("h2", {}, "A second opinion, without the model"),
    el("p", { class: "verdict", role: "status" }, ((n) => (n
      ? `${n === 1 ? "One kind" : `${count(n)} kinds`} of path ${n === 1 ? "joins" : "join"} them more often than degrees explain (q ≤ 0.05).`
      : "No kind of path joins them more often than degrees explain (q ≤ 0.05)."))(found.kinds.filter((kind) => kind.q <= 0.05).length)),
    found.kinds.length ? table("Kinds of paths beside a null model", [
      { head: "kind of path", cell: (kind) => named(kind, label) },
      { head: "paths", n: true, cell: (kind) => count(kind.paths) },
      { head: "expected", n: true, cell: (kind) => number(kind.expected) },
      { head: "p", n: true, cell: (kind) => number(kind.p, 2) },
      { head: "q, of all kinds", n: true, cell: (kind) => number(kind.q, 2) },
    ], found.kinds, { row: (kind) => ({ class: kind.q <= 0.05 ? "chosen" : null }) }) : null,
    el("p", { class: "caption" }, found.method), notes(found.notes),
  ]);
}

export function bringIn(run, q, label, place, among) {
  return asked(run, "bring-in", { ...q, within: 10, most: 5, ...(among ? { among: [among] } : {}) }, place, (found) => [
    el("h2", {}, "What would bring this answer among the first ten"),
    el("p", { class: "verdict", role: "status" }, found.found
      ? `If ${found.facts.length === 1 ? "this fact" : `these ${count(found.facts.length)} facts`} were true, it would rise from rank ${count(found.before.rank)} to ${count(found.after.rank)}.`
      : `No such facts were found: its rank is ${count(found.before.rank)}${found.steps.length ? `, ${count(found.after.rank)} with all of the facts below` : ""}.`),
    found.facts.length ? el("ul", { class: "strikes" }, found.facts.map(([h, r, t]) => el("li", {}, el("b", {}, label(h)), " ", el("span", { class: "rel" }, label(r)), " ", el("b", {}, label(t))))) : null,
    found.steps.length ? table("Facts added one after the other", [
      { head: "added", cell: (step) => step.fact.map(label).join(" ") },
      { head: "score then", n: true, cell: (step) => number(step.score) },
      { head: "rank then", n: true, cell: (step) => count(step.rank) },
    ], found.steps) : null,
    el("p", { class: "caption" }, found.method), notes(found.notes),
  ]);
}

// A button, and a choice of the relation of which facts may be added.
export async function bringInForm(run, act) {
  const choice = el("select", { id: "among" }, el("option", { value: "" }, "of any relation"));
  const { relations } = await get(ofRun(run.id, "/relations"));
  choice.append(...relations.map((r) => el("option", { value: r.name }, `of ${r.name}`)));
  return [button("Which facts would bring it among the first ten?", () => act(choice.value)), " ",
    el("label", { for: "among", class: "unseen" }, "Facts that may be added"), choice];
}

export function similar(found, link) {
  return [
    el("h3", {}, "Similar"),
    found.similar.length ? table("Similar entities", [
      { head: "entity", cell: (one) => el("a", { href: link(one) }, one.label) },
      { head: "similarity", n: true, cell: (one) => fraction(one.similarity) },
    ], found.similar) : el("p", {}, "None is alike."),
    el("p", { class: "caption" }, `Similarity: ${found.measure}.`),
  ];
}
