// A drug that is not in the data: its structure as SMILES, and what is known of it.
import { at, el, notes } from "./dom.js";
import { into, ofRun, picture, query, send } from "./api.js";
import { frame, titled } from "./frame.js";
import { grouped } from "./partners.js";
import { follow, go, read } from "./state.js";

const { run } = await frame((one) => one.can.includes("add-drug"));
const FIELDS = ["name", "smiles", "facts", "enzymes", "targets", "transporters"];
let timer = 0;

function drawn() {
  const smiles = at("smiles").value.trim();
  into(at("drawing"), async () => (smiles ? el("figure", {},
    el("img", { class: "molecule large", alt: `The structure ${smiles}`, src: await picture(`/molecule.svg${query({ smiles })}`) }),
    el("figcaption", { class: "caption" }, "Is this the molecule?")) : null));
}
at("smiles").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(drawn, 300); });
at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  go({ run: run.id, ...Object.fromEntries(FIELDS.map((id) => [id, at(id).value.trim()])) });
});

const facts = () => at("facts").value.split("\n").map((line) => line.trim().split(/\s+/)).filter((words) => words.length > 1)
  .map(([relation, ...entity]) => [relation, entity.join(" ")]);
const names = (id) => at(id).value.split(",").map((name) => name.trim()).filter(Boolean);

function render() {
  const state = read(), name = state.get("name");
  FIELDS.forEach((id) => { at(id).value = state.get(id) ?? ""; });
  titled(name ?? "Add a drug");
  drawn();
  into(at("found"), async (signal) => {
    if (!name) return null;
    const found = await send(ofRun(run.id, "/add-drug"), {
      name, smiles: at("smiles").value, facts: facts(), top: 50,
      enzymes: names("enzymes"), targets: names("targets"), transporters: names("transporters"),
    }, { signal });
    return [el("h2", {}, `Predicted partners of ${name}`),
      found.facts?.length ? el("ul", {}, found.facts.map((fact) => el("li", {}, fact))) : null,
      notes(found.notes), grouped(found.partners), el("p", { class: "caution" }, run.caution)];
  }, "Ranking all partners …");
}

follow(render);
