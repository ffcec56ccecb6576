// What all pages share: the run that is asked, the pages that it has, its caution.
import { at, el, fill } from "./dom.js";
import { get, failure, Refused } from "./api.js";
import { address, read } from "./state.js";

const PAGES = [
  ["/", "Runs", () => true],
  ["/ask", "Ask", (run) => run.kind === "link"],
  ["/drugs", "Drugs", (run) => run.kind === "ddi"],
  ["/add-drug", "Add a drug", (run) => run.can.includes("add-drug")],
  ["/molecules", "Molecules", (run) => run.kind === "molecules" && run.can.includes("adapt")],
  ["/ratings", "Ratings", (run) => run.kind === "coldstart" && run.can.includes("adapt")],
  ["/knowledge", "Knowledge", (run) => run.can.includes("book")],
  ["/fits", "Fits", () => true],
];

export const first = (run) => PAGES.find(([path, , has]) => path !== "/" && path !== "/fits" && has(run))?.[0] ?? "/";

// Returns {run, runs}: the run of the address, else the first that `fits` the page.
export async function frame(fits = () => true) {
  let found;
  at("main").setAttribute("aria-busy", "true"); // until the page follows its address
  try {
    found = await get("/runs");
  } catch (error) {
    at("main").removeAttribute("aria-busy");
    if (error instanceof Refused) fill(at("main"), el("h1", {}, "The server refused"), failure(error));
    throw error;
  }
  const asked = read().get("run");
  const run = found.runs.find((one) => one.id === asked) ?? found.runs.find(fits) ?? found.runs[0];
  const here = location.pathname;
  fill(at("pages"), PAGES.filter(([, , has]) => has(run)).map(([path, name]) =>
    el("li", {}, el("a", {
      href: address({ run: run.id }, path),
      "aria-current": path === here || (here === "/why" && path === "/ask") ? "page" : null }, name))));
  const choice = at("run");
  fill(choice, found.runs.map((one) => el("option", { value: one.id, selected: one.id === run.id }, one.id)));
  choice.addEventListener("change", () => {
    const other = found.runs.find((one) => one.id === choice.value);
    const stays = PAGES.some(([path, , has]) => path === here && has(other));
    location.assign(address({ run: other.id }, stays ? here : first(other)));
  });
  at("caution").textContent = run.caution ?? "";
  return { run, runs: found.runs };
}

export function titled(text) { document.title = `${text} · Parsimony`; }
