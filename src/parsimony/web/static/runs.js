// Runs: what is served, compared where two or more are chosen, and how each was learned.
import { at, button, count, el, notes, number, plural, table } from "./dom.js";
import { download, get, into, ofRun, picture, query } from "./api.js";
import { curves } from "./curves.js";
import { race, raceCurves } from "./race.js";
import { first, frame, titled } from "./frame.js";
import { address, follow, go, read } from "./state.js";

const { run, runs } = await frame();
const KIND = { link: "answers (head, relation, ?)", ddi: "interactions of drugs", molecules: "molecules from few labels", coldstart: "ratings of new users" };
const GO = { link: "Ask", ddi: "Ask about drugs", molecules: "Predict molecules", coldstart: "Predict ratings" };

function render() {
  const state = read(), chosen = state.getAll("compare");
  titled("Runs");
  into(at("found"), async (signal) => {
    const listed = (await get("/table", signal).catch(() => ({ runs: [] }))).runs ?? [];
    const of = new Map(listed.map((row) => [row.run, row]));
    const boxes = new Map();
    const pick = () => go({ compare: runs.map((r) => r.id).filter((id) => boxes.get(id)?.checked) });
    return [
      table("Runs served", [
        ...(runs.length > 1 ? [{ head: "compare", cell: (r) => { const box = el("input", { type: "checkbox", checked: chosen.includes(r.id), "aria-label": `Compare ${r.id}`, on: { change: pick } }); boxes.set(r.id, box); return box; } }] : []),
        { head: "run", cell: (r) => [el("b", {}, r.id), " ", el("br"), el("span", { class: "muted" }, KIND[r.kind] ?? r.kind)] },
        { head: "data", cell: (r) => r.data },
        { head: "method", cell: (r) => r.method },
        { head: "measured", n: true, cell: (r) => measured(of.get(r.id)) },
        { head: "parameters", n: true, className: "optional", cell: (r) => count(of.get(r.id)?.parameters) },
        { head: "seconds to fit", n: true, className: "optional", cell: (r) => number(of.get(r.id)?.seconds) },
        { head: "", cell: (r) => el("a", { href: address({ run: r.id }, first(r)), "aria-label": `${GO[r.kind] ?? "Open"}: ${r.id}` }, first(r) === "/" ? "" : GO[r.kind] ?? "Open") },
        { head: "", cell: (r) => el("a", { href: address({ run: r.id, about: "1" }), "aria-label": `About ${r.id}` }, "About") },
      ], runs, { className: "stack" }),
    ];
  });
  into(at("more"), async (signal) => {
    if (chosen.length > 1) return comparison(await get(`/compare${query({ run: chosen })}`, signal));
    if (state.has("about")) return about(signal);
    return frontiers((await get("/frontiers", signal)).frontiers);
  });
}

function frontiers(found) {
  return found.length ? [el("h2", {}, "Frontiers"), found.map((one) => {
    const at = `/frontiers/${encodeURIComponent(one.id)}`, image = el("img", { class: "frontier", alt: `The error (${one.metric}) by ${one.axis} of ${one.families.join(" and ")} on ${one.data}: ${one.sentence}` });
    if (one.figure) picture(`${at}/figure.svg`).then((place) => { image.src = place; }, () => image.remove());
    return el("section", { class: "frontier" }, el("h3", {}, `${one.families.join(", ")} on ${one.data}`), el("p", {}, one.sentence),
      one.finished ? null : el("p", { class: "caption" }, `Not finished: ${count(one.runs.done)} of ${plural(one.runs.planned, "run")} are done.`),
      one.figure ? el("figure", {}, image, el("figcaption", { class: "caption" }, `The error by ${one.axis}; the page has the laws, the tables and all runs.`)) : null, notes(one.notes),
      el("p", {}, button("Download its page", () => download(`${at}/page`, `${one.id}.html`))));
  })] : null;
}

function measured(row) {
  const split = ["test", "valid"].find((name) => Number.isFinite(row?.[name]));
  return split ? [number(row[split]), el("br"), el("span", { class: "muted" }, `${row.metric.replaceAll("_", " ")}, ${split}`)] : "–";
}

function amount(name, value) {
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value !== "number") return String(value);
  if (name.endsWith("bytes")) return `${(value / 2 ** 20).toFixed(1)} MiB`;
  return Number.isInteger(value) ? (value < 10_000 ? String(value) : count(value)) : number(value, 4);
}

async function about(signal) {
  const [card, learned] = await Promise.all([get(ofRun(run.id), signal), get(ofRun(run.id, "/history"), signal).catch(() => ({ history: [] }))]);
  const flat = (object, before = "") => Object.entries(object ?? {}).flatMap(([name, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value) ? flat(value, `${before}${name}.`) : [[before + name, amount(name, value)]]);
  const rows = (caption, object) => { const found = flat(object).filter(([, value]) => value.length < 200); return found.length ? [el("h3", {}, caption), table(caption, [{ head: "what", cell: ([name]) => (caption === "Parameters" ? el("code", {}, name) : name.replaceAll("_", " ")) }, { head: "value", cell: ([, value]) => value }], found, { className: "plain" })] : null; };
  const splits = Object.entries(card.metrics ?? {}).filter(([, found]) => found?.metrics);
  const names = [...new Set(splits.flatMap(([, found]) => Object.keys(found.metrics)))];
  return [
    el("h2", {}, `About ${card.id}`),
    el("p", {}, button("Download its report", () => download(ofRun(run.id, "/report"), `${run.id}.html`))),
    splits.length ? table("Measured", [{ head: "split", cell: ([split]) => split }, { head: "n", n: true, cell: ([, found]) => count(found.n_queries) }, ...names.map((name) => ({ head: name.replaceAll("_", " "), n: true, cell: ([, found]) => number(found.metrics[name]) }))], splits) : null,
    card.calibration ? el("p", {}, card.calibration) : null,
    notes(card.notes),
    curves(learned.history ?? []), race(learned.heats ?? [], ""), raceCurves(learned.curves ?? [], card.method),
    rows("Data", card.data_info), rows("Cost", card.ledger), rows("Parameters", card.config),
  ];
}

function comparison(found) {
  const names = [...new Set(found.runs.flatMap((row) => Object.keys(row.values ?? {})))];
  const interval = (value) => (value ? [number(value.value, 4), value.interval ? [el("br"), el("span", { class: "muted" }, `${number(value.interval[0], 4)} to ${number(value.interval[1], 4)}`)] : null] : "–");
  return [
    el("h2", {}, "Compared"), found.says ? el("p", { role: "status" }, found.says) : null,
    table("Measures and cost of the runs", [
      { head: "run", cell: (row) => [el("b", {}, `${row.letter ?? ""} `), row.method, el("br"), el("span", { class: "muted" }, String(row.run).split("/").at(-1))] },
      ...names.map((name) => ({ head: name, n: true, cell: (row) => interval(row.values[name]) })),
      { head: "description, bytes", n: true, cell: (row) => count(row.description_bytes) },
      { head: "parameters", n: true, cell: (row) => count(row.parameters) },
      { head: "CPU time, s", n: true, cell: (row) => number(row.cpu_seconds) },
    ], found.runs, { row: (row) => ({ class: row.letter && row.letter === found.simplest ? "chosen" : null }) }),
    found.differences?.length ? [el("h3", {}, "Paired differences"), table("Paired differences", [
      { head: "better", cell: (pair) => pair.better }, { head: "than", cell: (pair) => pair.worse },
      ...names.map((name) => ({ head: name, n: true, cell: (pair) => interval(pair.gain?.[name]) })),
    ], found.differences), el("p", { class: "caption" }, "95 % bootstrap intervals. Where an interval contains 0, no difference is shown.")] : null,
    notes(found.notes),
  ];
}

follow(render);
