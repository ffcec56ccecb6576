// Ask: (head, relation, ?) or (?, relation, tail), and the ranked answers.
import { at, bar, button, count, el, fill, held, notes, number, percent, plural, table } from "./dom.js";
import { download, get, into, ofRun, query } from "./api.js";
import { first, frame, titled } from "./frame.js";
import { finder } from "./search.js";
import { similar } from "./beyond.js";
import { address, follow, go, read } from "./state.js";

const { run } = await frame((one) => one.kind === "link");
if (run.kind !== "link") location.replace(address({ run: run.id }, first(run)));

const relation = at("relation"), top = at("top"), type = at("type");
const entity = finder("entity", run.id, () => { relations().then(() => relation.focus()); });
const side = () => document.querySelector("input[name=side]:checked").value; // what is known: head or tail

async function relations(wanted = relation.value) {
  const found = await get(ofRun(run.id, `/relations${query({ entity: entity.name })}`)).catch(() => get(ofRun(run.id, "/relations")));
  const here = side() === "head" ? "as_head" : "as_tail";
  const own = found.relations.filter((r) => r[here]), other = found.relations.filter((r) => !r[here]);
  const option = (r, n) => el("option", { value: r.name }, `${r.label ?? r.name} (${plural(n, "fact")})`);
  fill(relation,
    own.length ? el("optgroup", { label: `It has as ${side()}` }, own.sort((a, b) => b[here] - a[here]).map((r) => option(r, r[here]))) : null,
    el("optgroup", { label: own.length ? "Others" : "All relations" }, other.map((r) => option(r, r.facts))));
  if ([...relation.options].some((o) => o.value === wanted)) relation.value = wanted;
}

const types = (await get(ofRun(run.id, "/types")).catch(() => ({ types: [] }))).types;
at("type-part").hidden = types.length < 2;
fill(type, el("option", { value: "" }, "of any type"), types.map((t) => el("option", { value: t.name }, `${t.name} (${count(t.entities)})`)));

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!entity.name) { at("entity").focus(); return; }
  go({ run: run.id, head: null, tail: null, [side()]: entity.name, relation: relation.value, top: top.value === "10" ? null : top.value, type: type.value });
});
document.querySelectorAll("input[name=side]").forEach((one) => one.addEventListener("change", () => { sentence(); relations(); }));
at("hide").addEventListener("change", () => go({ known: at("hide").checked ? "hide" : null }));
top.addEventListener("change", () => { if (read().get("relation")) go({ top: top.value === "10" ? null : top.value }); });
type.addEventListener("change", () => { if (read().get("relation")) go({ type: type.value }); });

function sentence() { // the order in which the question is read
  at("ask").classList.toggle("backwards", side() === "tail");
}

function asked() {
  const state = read(), known = state.has("tail") && !state.has("head") ? "tail" : "head";
  return { known, name: state.get(known), relation: state.get("relation"), top: Number(state.get("top") ?? 10), type: state.get("type") };
}

const body = (q) => ({ [q.known]: q.name, relation: q.relation, top: q.top, ...(q.type ? { type: q.type } : {}) });

async function render() {
  const q = asked(), state = read();
  document.querySelector(`input[name=side][value=${q.known}]`).checked = true;
  sentence();
  top.value = String(q.top); type.value = q.type ?? ""; at("hide").checked = state.get("known") === "hide";
  if (!q.name || !q.relation) {
    titled("Ask"); fill(at("found"), examples());
    entity.set(q.name); await relations(q.relation);
    return;
  }
  entity.set(q.name);
  into(at("found"), async (signal) => {
    const found = await get(ofRun(run.id, `/predict${query(body(q))}`), signal);
    const own = held(found.about, q.name)?.label ?? (await get(ofRun(run.id, `/entities${query({ q: q.name, limit: 1 })}`), signal)).entities.find((e) => e.name === q.name)?.label ?? q.name;
    entity.set(q.name, own);
    await relations(q.relation);
    titled(q.known === "head" ? `${own} ${q.relation} ?` : `? ${q.relation} ${own}`);
    return answers(q, own, found, state.get("known") === "hide");
  }, "Asking the model …");
}

function answers(q, own, found, hide) {
  const known = (a) => held(found.about, a.entity)?.known ?? "no";
  const rows = found.answers.map((a, i) => ({ ...a, rank: i + 1 })).filter((a) => !hide || known(a) === "no");
  const hidden = found.answers.length - rows.length;
  const why = (a) => address({ run: run.id, head: q.known === "head" ? q.name : a.entity, relation: q.relation, tail: q.known === "head" ? a.entity : q.name, side: q.known === "head" ? "tail" : "head" }, "/why");
  const name = (a) => held(found.about, a.entity)?.label ?? a.entity;
  const file = (format) => download(ofRun(run.id, `/predict${query({ ...body(q), hide_known: hide ? "true" : null, format })}`), `${run.id}-${q.relation}.${format}`);
  return [
    el("h2", {}, q.known === "head" ? [el("bdi", {}, own), " ", el("span", { class: "rel" }, q.relation), " ?"] : ["? ", el("span", { class: "rel" }, q.relation), " ", el("bdi", {}, own)]),
    table("Ranked answers", [
      { head: "rank", n: true, cell: (a) => a.rank },
      { head: "answer", cell: (a) => [el("b", {}, name(a)), (held(found.about, a.entity)?.types ?? []).length ? el("span", { class: "muted" }, ` ${held(found.about, a.entity).types.slice(0, 2).join(", ")}`) : null] },
      { head: "probability", n: true, cell: (a) => [percent(a.probability), bar(a.probability)] },
      { head: "score", n: true, className: "optional", cell: (a) => number(a.score) },
      { head: "in the data", cell: (a) => (known(a) === "no" ? el("span", { class: "muted" }, "predicted, not stated") : el("span", { class: "known" }, `known, ${known(a)}`)) },
      { head: "reason", cell: (a) => (run.can.includes("explain") ? el("a", { href: why(a), "aria-label": `Why ${name(a)}?` }, "Why?") : "–") },
    ], rows, { className: "answers" }),
    rows.length ? null : el("p", {}, "Every one of these answers is known: ask for more, or show the known ones."),
    hidden ? el("p", { class: "caption" }, `${plural(hidden, "known answer")} hidden; ranks count them.`) : null,
    el("p", { class: "row" }, button("Download CSV", () => file("csv")), button("Download Parquet", () => file("parquet")),
      el("a", { href: address({ run: run.id, [q.known === "head" ? "tail" : "head"]: q.name, relation: q.relation }, "/ask") }, "Ask from the other side")),
    notes(found.notes),
    run.can.includes("similar") ? alike(q, own) : null,
  ];
}

function alike(q, own) {
  const place = el("div", { role: "region", "aria-label": "Similar entities", "aria-live": "polite" });
  const show = () => into(place, async (signal) => similar(await get(ofRun(run.id, `/similar${query({ entity: q.name })}`), signal),
    (one) => address({ run: run.id, [q.known]: one.name, relation: q.relation }, "/ask")));
  return [el("p", {}, button(`What is similar to ${own}?`, show)), place];
}

function examples() { return el("p", { class: "muted" }, "Type a name, choose a relation, and ask. Names are found by parts of them and with small errors of spelling."); }

follow(render);
