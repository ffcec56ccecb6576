// Why: the evidence of an answer; strike some out; what else has the reason; what it rests on.
import { at, button, count, el, fill, held, notes, number, plural, table } from "./dom.js";
import { failure, get, into, job, ofRun, query, Refused, send } from "./api.js";
import { frame, titled } from "./frame.js";
import { evidence } from "./evidence.js";
import { beforeAndAfter, strike } from "./strike.js";
import { bringIn, bringInForm, secondOpinion } from "./beyond.js";
import { address, follow, read } from "./state.js";

const { run } = await frame((one) => one.kind === "link");
let shown = "", label = (name) => name;

const question = () => {
  const state = read();
  return { head: state.get("head"), relation: state.get("relation"), tail: state.get("tail"), side: state.get("side") ?? "tail" };
};

function render() {
  const q = question(), state = read();
  if (!q.head || !q.tail || !q.relation) {
    fill(at("found"), el("p", {}, "An explanation is of one answer: ", el("a", { href: address({ run: run.id }, "/ask") }, "ask first"), ", then choose Why?"));
    return;
  }
  const back = q.side === "tail" ? { head: q.head } : { tail: q.tail };
  fill(at("back"), el("a", { href: address({ run: run.id, ...back, relation: q.relation }, "/ask") }, "← All answers"));
  const key = JSON.stringify([run.id, q]);
  const once = key === shown ? Promise.resolve() : into(at("found"), async (signal) => {
    const found = await get(ofRun(run.id, `/explain${query(q)}`), signal);
    label = (name) => held(found.labels, name) ?? name;
    title(q);
    return evidence(found, {
      strike: run.can.includes("strike") ? (...entries) => { strike(...entries); at("struck-place").scrollIntoView(); } : null,
      what: run.can.includes("what-else") ? (kind) => whatElse(q, kind) : null,
    });
  }, "Looking for the evidence …");
  if (key !== shown) {
    title(q); ["else", "holds", "second", "bring"].forEach((id) => fill(at(id)));
    fill(at("tools"), run.can.includes("counterfactual") ? button("Which facts hold this answer up?", () => counterfactual(q)) : null, " ",
      run.can.includes("second-opinion") ? button("A second opinion, without the model", () => secondOpinion(run, q, label, at("second"))) : null);
    if (run.can.includes("bring-in")) bringInForm(run, (among) => bringIn(run, q, label, at("bring"), among)).then((made) => at("tools").append(" ", ...made));
  }
  shown = key;
  once.then(() => into(at("struck-place"), (signal) => beforeAndAfter(run, q, label, signal), "Asking again without it …"));
}

function title(q) {
  fill(at("title"), el("bdi", {}, label(q.head)), " ", el("span", { class: "rel" }, label(q.relation)), " ", el("bdi", {}, label(q.tail)));
  titled(`Why ${label(q.head)} ${label(q.relation)} ${label(q.tail)}`);
}

function whatElse(q, kind) {
  into(at("else"), async (signal) => {
    const found = await send(ofRun(run.id, "/what-else"), { ...q, steps: kind.steps }, { signal });
    const items = (name, caption, rows, why) => el("div", {}, el("h3", {}, name), rows.length ? table(caption, [
      { head: "entity", cell: (item) => el("b", {}, item.label) },
      { head: "paths", n: true, cell: (item) => count(item.walks) },
      { head: "in the data", cell: (item) => (item.known === "no" ? el("span", { class: "muted" }, "not stated") : el("span", { class: "known" }, `known, ${item.known}`)) },
      { head: "", cell: (item) => el("a", { href: why(item), "aria-label": `Why ${item.label}?` }, "Why?") },
    ], rows) : el("p", {}, "None."));
    queueMicrotask(() => at("else").scrollIntoView());
    const tail = q.side === "tail";
    const link = (change) => address({ run: run.id, ...q, ...change }, "/why");
    return [el("h2", {}, "What else has the same reason"), el("p", { class: "clause" }, found.text),
      el("div", { class: "beside" },
        items(`Other answers for ${label(tail ? q.head : q.tail)}`, "Other answers that this kind of path leads to", found.answers, (item) => link({ [tail ? "tail" : "head"]: item.entity })),
        items(`Others with the answer ${label(tail ? q.tail : q.head)}`, "Others that this kind of path joins to the answer", found.entities, (item) => link({ [tail ? "head" : "tail"]: item.entity }))),
      notes(found.notes)];
  });
}

async function counterfactual(q) {
  const place = at("holds");
  try {
    const found = await job(run.id, "counterfactual", { ...q, beyond: 10, most: 10 }, place);
    if (!found) return;
    fill(place, el("h2", {}, "What this answer rests on"),
      found.found
        ? el("p", { class: "verdict", role: "status" }, `Without ${found.facts.length === 1 ? "this fact" : `these ${found.facts.length} facts`} it falls from rank ${count(found.before.rank)} to ${count(found.after.rank)}, out of the first ten.`)
        : el("p", { class: "verdict", role: "status" }, `No ten facts were found without which it falls out of the first ten: it has many independent reasons, or none in the graph. It ends at rank ${count(found.after.rank)}.`),
      found.facts.length ? [el("ul", { class: "strikes" }, found.facts.map((fact) => el("li", {}, el("b", {}, label(fact[0])), " ", el("span", { class: "rel" }, label(fact[1])), " ", el("b", {}, label(fact[2]))))),
        el("p", {}, button(`Strike ${found.facts.length === 1 ? "it" : "them"} out`, () => strike(...found.facts.map((fact) => ["fact", ...fact]))))] : null,
      found.steps?.length ? table("Facts taken out one after the other", [
        { head: "taken out", cell: (step) => step.fact.map(label).join(" ") },
        { head: "score then", n: true, cell: (step) => number(step.score) },
        { head: "rank then", n: true, cell: (step) => count(step.rank) },
      ], found.steps) : null,
      el("p", { class: "caption" }, found.method), notes(found.notes));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    fill(place, failure(error));
  }
}

follow(render);
