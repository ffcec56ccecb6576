// Molecules: a few with labels, others to be predicted, and the supports that carried them.
import { at, bar, el, notes, number, percent, table } from "./dom.js";
import { into, ofRun, picture, query, send } from "./api.js";
import { frame, titled } from "./frame.js";
import { follow, go, read } from "./state.js";

const { run } = await frame((one) => one.kind === "molecules");
titled("Molecules");
const FIELDS = ["support", "predict", "prevalence"];
const lines = (id) => at(id).value.split("\n").map((line) => line.trim()).filter(Boolean);

function drawing(smiles) {
  const image = el("img", { class: "molecule", alt: `The structure ${smiles}` });
  picture(`/molecule.svg${query({ smiles })}`).then((place) => { image.src = place; }, () => image.remove());
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
    const found = await send(ofRun(run.id, "/adapt"), { support, predict: lines("predict"), prevalence: Number(at("prevalence").value) || null }, { signal });
    return [el("h2", {}, "Predictions"), notes(found.notes),
      table("Predicted molecules", [
        { head: "molecule", cell: (row) => [drawing(row.id), el("code", {}, row.id)] },
        { head: "probability of being active", n: true, cell: (row) => [percent(row.probability), bar(row.probability)] },
        { head: "because of", cell: (row) => el("div", { class: "supports" }, row.reasons.map((reason) => el("figure", { class: "support" }, drawing(reason.id),
          el("figcaption", {}, el("b", {}, reason.label ? "active" : "inactive"), el("br"),
            [["similarity", reason.similarity], ["weight", reason.weight]].filter(([, value]) => Number.isFinite(value)).map(([name, value]) => `${name} ${number(value, 2)}`).join(", "))))) },
      ], found.predictions), el("p", { class: "caution" }, run.caution)];
  }, "Adapting the model …");
}

follow(render);
