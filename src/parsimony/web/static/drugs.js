// Drugs: one drug and all its partners by mechanism, or two drugs and why.
import { at, button, el, fill, held, notes, percent, table } from "./dom.js";
import { download, get, into, ofRun, query } from "./api.js";
import { first, frame, titled } from "./frame.js";
import { finder } from "./search.js";
import { evidence } from "./evidence.js";
import { grouped, pairAddress, words } from "./partners.js";
import { pairBeforeAndAfter, strike } from "./strike.js";
import { address, follow, go, read } from "./state.js";

const { run } = await frame((one) => one.kind === "ddi");
if (run.kind !== "ddi") location.replace(address({ run: run.id }, first(run)));
const one = finder("drug", run.id, () => at("other").focus()), two = finder("other", run.id, () => at("ask").requestSubmit());
let shown = "", label = (name) => name, asked = null;

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!one.name) { at("drug").focus(); return; }
  go({ run: run.id, drug: at("other").value.trim() ? [one.name, two.name] : [one.name], strike: [], type: null });
});
at("hide").addEventListener("change", () => go({ known: at("hide").checked ? "hide" : null }));
at("top").addEventListener("change", () => go({ top: at("top").value === "50" ? null : at("top").value }));

async function named(name) {
  const found = await get(ofRun(run.id, `/entities${query({ q: name, limit: 5 })}`)).catch(() => ({ entities: [] }));
  return (found.entities.find((e) => e.name === name) ?? found.entities.find((e) => e.match === "exact"))?.label ?? name;
}

async function render() {
  const state = read(), drugs = state.getAll("drug");
  at("hide").checked = state.get("known") === "hide"; at("top").value = state.get("top") ?? "50";
  at("filters").hidden = drugs.length > 1;
  const key = JSON.stringify([run.id, drugs, drugs.length > 1 ? "" : [state.get("known"), state.get("top")], state.get("type")]);
  if (key !== shown) {
    shown = key; asked = null;
    fill(at("struck-place"));
    await into(at("found"), async (signal) => {
      const labels = await Promise.all(drugs.slice(0, 2).map(named));
      one.set(drugs[0], labels[0]); two.set(drugs[1], labels[1]);
      titled(labels.join(" and ") || "Drugs");
      if (!drugs.length) return el("p", { class: "muted" }, "One drug: all its partners by mechanism, each with its reason. Two drugs: how they interact, and why.");
      return drugs.length > 1 ? pair(drugs, labels, state.get("type"), signal) : partners(drugs[0], labels[0], state, signal);
    }, drugs.length > 1 ? "Asking about both …" : "Ranking all partners …");
  }
  if (asked) into(at("struck-place"), (signal) => pairBeforeAndAfter(run, asked.drugs, asked.type, label, signal), "Asking again without it …");
}

async function partners(drug, name, state, signal) {
  const top = Number(state.get("top") ?? 50), hide = state.get("known") === "hide";
  const found = await get(ofRun(run.id, `/partners${query({ drug, top })}`), signal);
  return [
    el("h2", {}, `Partners of ${name}`),
    notes(found.notes),
    grouped(found.partners.slice(0, top), { hide, link: (p) => pairAddress(run.id, drug, p.id ?? p.drug) }),
    el("p", { class: "row" }, ["csv", "parquet"].map((format) => button(`Download ${format === "csv" ? "CSV" : "Parquet"}`, () =>
      download(ofRun(run.id, `/partners${query({ drug, top: 1000, drop_known: hide ? "true" : "", format })}`), `${name}-partners.${format}`)))),
    el("p", { class: "caution" }, run.caution),
  ];
}

async function pair(drugs, labels, type, signal) {
  const found = await get(ofRun(run.id, `/pair${query({ drug: drugs.slice(0, 2) })}`), signal);
  const best = (type && found.answers.find((a) => a.type === type)) || found.answers[0];
  const explained = best && run.can.includes("explain")
    ? await get(ofRun(run.id, `/explain${query({ head: best.drug1, relation: best.type, tail: best.drug2 })}`), signal) : null;
  if (explained) {
    label = (name) => held(explained.labels, name) ?? name;
    if (run.can.includes("strike")) asked = { drugs: drugs.slice(0, 2), type: `${best.drug1} ${best.type} ${best.drug2}` };
  }
  const sets = (found.set?.orders ?? []).map((order) => el("li", {}, order.abstains
    ? `${order.drug1}, then ${order.drug2}: it abstains, no type is probable enough.`
    : [el("b", {}, order.texts.join(" Or: "))]));
  return [
    el("h2", {}, labels.join(" and ")),
    best ? el("p", { class: "sentence" }, best.text, " ", el("span", { class: "muted" }, `Predicted with probability ${percent(best.probability)}.`)) : null,
    found.known?.length ? el("p", { class: "known" }, "In the data: ", found.known.map((k) => `${k.text} (${k.split.replace(/_.*/, "")})`).join(" ")) : el("p", {}, "Predicted: the data state no interaction of these two."),
    notes(found.notes),
    sets.length ? [el("h3", {}, "What it commits to"), el("ul", { class: "plain" }, sets),
      el("p", { class: "caption" }, `For each order of the two, the set of types that should contain the true one for ${Math.round(100 * found.set.level)} % of pairs`,
        found.set.measured ? `; on the test pairs it did for ${percent(found.set.measured.coverage)}.` : ".")] : null,
    el("h3", {}, "All types"),
    table("How the two may interact", [
      { head: "probability", n: true, cell: (a) => percent(a.probability) },
      { head: "interaction", cell: (a) => a.text },
      { head: "", cell: (a) => (a === best ? "explained below" : el("a", { href: address({ run: run.id, drug: drugs, type: a.type }, "/drugs"), "aria-label": `Why: ${a.text}` }, "Why?")) },
    ], found.answers, { row: (a) => ({ class: a === best ? "chosen" : null }) }),
    explained ? [el("h2", {}, `Why: ${explained.claim ?? words(best.type)}`),
      evidence(explained, { factsOnly: true, strike: run.can.includes("strike") ? (...entries) => { strike(...entries); at("struck-place").scrollIntoView(); } : null })] : null,
  ];
}

follow(render);
