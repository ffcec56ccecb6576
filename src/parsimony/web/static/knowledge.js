// The run's book: search, sort, filter, edit, add, forget, measure, save.
import { at, button, count, el, fill, fraction, notes, plural, table } from "./dom.js";
import { download, failure, get, into, ofRun, query, Refused, send } from "./api.js";
import { frame, titled } from "./frame.js";
import { follow, go, read } from "./state.js";

const { run } = await frame((one) => one.can.includes("book"));
titled(`Knowledge of ${run.id}`);
const PAGE = 25;
const relations = (await get(ofRun(run.id, "/relations")).catch(() => ({ relations: [] }))).relations;
fill(at("relation"), el("option", { value: "" }, "of all relations"), relations.map((r) => el("option", { value: r.name }, r.label ?? r.name)));

let timer = 0;
at("q").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => go({ q: at("q").value, offset: null }, { replace: true }), 250); });
at("relation").addEventListener("change", () => go({ relation: at("relation").value, offset: null }));
at("sort").addEventListener("change", () => go({ sort: at("sort").value === "confidence" ? null : at("sort").value, offset: null }));
at("filter").addEventListener("submit", (event) => event.preventDefault());
at("save").addEventListener("click", () => guarded(() => download(ofRun(run.id, "/book/file"), `${run.id}-book.toml`)));

async function guarded(act) {
  try { fill(at("said")); return await act(); } catch (error) {
    if (!(error instanceof Refused)) throw error;
    fill(at("said"), failure(error));
    return undefined;
  }
}

at("add").addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(async () => {
    const entry = await send(ofRun(run.id, "/book/entries"), { text: line(at("text")) });
    at("text").value = "";
    fill(at("said"), el("p", { role: "status" }, "Added: ", el("code", {}, entry.clause), `, ${evidence(entry)}.`));
    render();
  });
});
at("measure").addEventListener("click", () => guarded(async () => {
  const found = await send(ofRun(run.id, "/book/measure"), { text: line(at("text")) });
  fill(at("said"), el("p", { role: "status" }, el("code", {}, found.measured ?? found.text), `: ${evidence(found)}. ${found.verdict ?? ""}`));
}));

const line = (field) => field.value.trim().replace(/\s*\n\s*/g, " "); // an entry is one line
const evidence = (entry) => `support ${count(entry.support)} of ${count(entry.of)}, confidence ${fraction(entry.confidence)}`;

function editing(entry, cell) {
  const field = el("textarea", { rows: "2", "aria-label": `Edit ${entry.clause}` });
  field.value = entry.clause;
  fill(cell, field, el("p", { class: "row" },
    button("Save", () => guarded(async () => { await send(ofRun(run.id, `/book/entries/${encodeURIComponent(entry.id)}`), { text: line(field) }, { method: "PUT" }); await render(); }), { class: "small" }),
    button("Cancel", () => render(), { class: "small" })));
  field.focus();
}

const forget = (entry) => guarded(async () => { await send(ofRun(run.id, `/book/entries/${encodeURIComponent(entry.id)}`), undefined, { method: "DELETE" }); await render(); });

function render() {
  const state = read(), offset = Number(state.get("offset") ?? 0), sort = state.get("sort") ?? "confidence";
  if (document.activeElement !== at("q")) at("q").value = state.get("q") ?? "";
  at("relation").value = state.get("relation") ?? ""; at("sort").value = sort;
  return into(at("found"), async (signal) => {
    const book = await get(ofRun(run.id, `/book${query({ q: state.get("q"), relation: state.get("relation"), sort, offset, limit: PAGE })}`), signal);
    const cells = new Map();
    return [
      el("p", { role: "status" }, book.total ? `${plural(book.total, "entry").replace("entrys", "entries")}${book.total > PAGE ? `, ${count(offset + 1)} to ${count(Math.min(offset + PAGE, book.total))} shown` : ""}${book.edits ? `; ${plural(book.edits, "edit")} of yours` : ""}.` : "No entry fits."),
      table("Entries of the book", [
        { head: "confidence", n: true, cell: (e) => fraction(e.confidence) },
        { head: "support", n: true, cell: (e) => `${count(e.support)} of ${count(e.of)}` },
        { head: "entry", className: "clause", cell: (e) => { const cell = el("div", {}, e.clause); cells.set(e.id, cell); return cell; } },
        { head: "from", cell: (e) => (e.edited ? el("b", {}, "you") : e.origin || "–") },
        { head: "", cell: (e) => el("span", { class: "row" },
          button("Edit", () => editing(e, cells.get(e.id)), { class: "small", "aria-label": `Edit ${e.clause}` }),
          button("Forget", () => forget(e), { class: "small", "aria-label": `Forget ${e.clause}` })) },
      ], book.entries, { className: "stack" }),
      book.total > PAGE ? el("nav", { class: "row", "aria-label": "Pages of the book" },
        button("Earlier", () => go({ offset: Math.max(0, offset - PAGE) || null }), { disabled: offset === 0 }),
        button("Later", () => go({ offset: offset + PAGE }), { disabled: offset + PAGE >= book.total })) : null,
      book.forgotten?.length ? [el("h2", {}, "Forgotten"), el("ul", { class: "strikes" }, book.forgotten.map((e) => el("li", {}, el("s", {}, el("code", {}, e.clause)), " ", button("Remember", () => forget(e), { class: "small", "aria-label": `Remember ${e.clause}` }))))] : null,
      book.symbol ? [el("h2", {}, "Symbol"), el("pre", {}, book.symbol)] : null,
      book.formula ? [el("h2", {}, "Formula"), el("pre", {}, book.formula)] : null,
      notes(book.notes),
    ];
  });
}

follow(render);
