// A race of methods: a row for each, and how each of them learned over all its heats.
import { count, el, number, table } from "./dom.js";
import { curves } from "./curves.js";

export function race(rows, measure, more = {}) {
  return rows.length ? [el("h3", {}, "The race"), table("The methods of the race", [
    { head: "method", cell: (row) => el("b", {}, row.method) },
    { head: measure ? `${measure.replaceAll("_", " ")}, valid` : "measure on validation", n: true, cell: (row) => number(row.valid) },
    { head: "parameters", n: true, cell: (row) => count(row.parameters) },
    { head: "heats", n: true, cell: (row) => count(row.heats) },
    { head: "seconds", n: true, cell: (row) => number(row.seconds) },
    { head: "state", cell: (row) => row.state },
  ], rows, { className: "stack", ...more })] : null;
}

// Of the methods but one, whose curve is shown already.
export const raceCurves = (found, but) => found.filter((one) => one.method !== but).map((one) => curves(one.history, `How ${one.method} learned`));
