// Molecules: a few with labels, others to be predicted, and the supports that carried them.
import { at, bar, el, notes, number, percent, table } from "./dom.js";
import { into, ofRun, picture, query, send } from "./api.js";
import { frame, titled } from "./frame.js";
import { follow, go, read } from "./state.js";

const { run } = await frame((one) => one.kind === "molecules");
titled("Molecules");
const FIELDS = ["support", "predict", "prevalence"];
const lines = (id) => at(id).value.split("\n").map((line) => line.trim()).filter(Boolean);

// `shares` of the atoms, of which `greatest` is the size of the greatest on the page.
function drawing(smiles, shares = null, greatest = 1) {
  const strongest = (shares ?? []).map((share, i) => [i + 1, share]).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a)).slice(0, 3).filter(([, share]) => share);
  const told = strongest.map(([atom, share]) => `atom ${atom} ${share > 0 ? "raises" : "lowers"} the score by ${number(Math.abs(share), 2)}`).join(", ");
  const image = el("img", { class: "molecule", alt: `The structure ${smiles}${told ? `: ${told}` : ""}` });
  picture(`/molecule.svg${query({ smiles, shares: (shares ?? []).map((share) => (greatest ? share / greatest : 0).toFixed(2)).join(",") })}`).then((place) => { image.src = place; }, () => image.remove());
  return image;
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  go({ run: run.id, ...Object.fromEntries(FIELDS.map((id) => [id, at(id).value.trim()])) });
});

function render() {
  const state = read();
  FIELDS.forEach((id) => { at(id).value = state.get(id) ?? ""; });
  into(at("found"), async (signal) => {
    if (!state.get("support") || !state.get("predict")) return null;
    const support = lines("support").map((line) => { const [smiles, label] = line.split(/[\s,;]+/); return { smiles, label: Number(label) }; });
    const found = await send(ofRun(run.id, "/adapt"), { support, predict: lines("predict"), prevalence: Number(at("prevalence").value) || null, atoms: true }, { signal });
    const greatest = Math.max(0, ...found.predictions.flatMap((row) => (row.atoms?.shares ?? []).map(Math.abs)));
    return [el("h2", {}, "Predictions"), notes(found.notes),
      greatest ? el("p", { class: "caption" }, el("span", { class: "key raises" }), "atoms that raise the score ", el("span", { class: "key lowers" }), `atoms that lower it; one scale for all: ${found.spread}. On no atom: ${found.beside}; with it the shares sum to the score.`) : null,
      table("Predicted molecules", [
        { head: "molecule", cell: (row) => [row.atoms ? drawing(row.atoms.smiles, row.atoms.shares, greatest) : drawing(row.id), el("code", {}, row.id),
          row.atoms ? el("p", { class: "caption" }, `score ${number(row.score)} = ${number(row.atoms.shares.reduce((sum, share) => sum + share, 0))} on its atoms + ${number(Math.abs(row.atoms.rest) < 1e-6 ? 0 : row.atoms.rest)} on none`) : null] },
        { head: "probability of being active", n: true, cell: (row) => [percent(row.probability), bar(row.probability)] },
        { head: "because of", cell: (row) => el("div", { class: "supports" }, row.reasons.map((reason) => el("figure", { class: "support" }, drawing(reason.id),
          el("figcaption", {}, el("b", {}, reason.label ? "active" : "inactive"), el("br"),
            [["similarity", reason.similarity], ["weight", reason.weight]].filter(([, value]) => Number.isFinite(value)).map(([name, value]) => `${name} ${number(value, 2)}`).join(", "))))) },
      ], found.predictions, { className: "stack" }), el("p", { class: "caution" }, run.caution)];
  }, "Adapting the model …");
}

follow(render);
