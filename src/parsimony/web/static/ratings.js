// Ratings: what a user rated, and what the model expects of other items.
import { at, button, el, fill, notes, number, table } from "./dom.js";
import { into, ofRun, send } from "./api.js";
import { frame, titled } from "./frame.js";
import { finder } from "./search.js";
import { follow, go, read } from "./state.js";

const { run } = await frame((one) => one.kind === "coldstart");
titled("Ratings");
const item = finder("item", run.id, () => at("rating").focus());
const other = finder("other", run.id, (entity) => { other.set("", ""); keep({ item: [...new Set([...read().getAll("item"), entity.name])] }); });
const keep = (change) => go({ run: run.id, ...change });
const ratings = () => read().getAll("rated").flatMap((text) => { try { return [JSON.parse(text)]; } catch { return []; } });

at("add").addEventListener("click", () => {
  const rating = Number(at("rating").value);
  if (!item.name || at("rating").value === "" || !Number.isFinite(rating)) { at(item.name ? "rating" : "item").focus(); return; }
  const kept = ratings().filter(([name]) => name !== item.name);
  keep({ rated: [...kept, [item.name, rating]].map((one) => JSON.stringify(one)) });
  item.set("", ""); at("rating").value = ""; at("item").focus();
});
at("ask").addEventListener("submit", (event) => event.preventDefault());

function render() {
  const rated = ratings(), wanted = read().getAll("item");
  const remove = (name, act) => button("Remove", act, { class: "small", "aria-label": `Remove ${name}` });
  fill(at("rated"), rated.map(([name, rating]) => el("li", {}, el("b", {}, name), ` ${rating} `,
    remove(name, () => keep({ rated: rated.filter(([one]) => one !== name).map((one) => JSON.stringify(one)) })))));
  fill(at("wanted"), wanted.map((name) => el("li", {}, el("b", {}, name), " ", remove(name, () => keep({ item: wanted.filter((one) => one !== name) })))));
  into(at("found"), async (signal) => {
    if (!rated.length || !wanted.length) return el("p", { class: "muted" }, "Name some ratings of the user, and the items to be predicted.");
    const found = await send(ofRun(run.id, "/adapt"), { support: rated.map(([name, rating]) => ({ item: name, rating })), predict: wanted }, { signal });
    return [el("h2", {}, "Expected ratings"), notes(found.notes), table("Expected ratings", [
      { head: "item", cell: (row) => el("b", {}, row.item) },
      { head: "expected rating", n: true, cell: (row) => number(row.rating ?? row.prediction) },
    ], found.predictions)];
  }, "Adapting to the user …");
}

follow(render);
