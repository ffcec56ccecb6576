// The evidence as a picture (graph.js, as in the reports), and its facts to be struck out.
import { el } from "./dom.js";

// `graph` is what the interface gives as the picture; `pick(element)` is called with a tapped edge.
export function pictured(graph, { doubt = false, pick = null } = {}) {
  if (!graph?.edges?.length) return null;
  const root = el("div", { class: doubt ? "doubt" : null },
    el("figure", {},
      el("div", { class: "tools", role: "group", "aria-label": "Picture" },
        el("button", { type: "button", data: { do: "in" }, "aria-label": "zoom in" }, "+"), " ",
        el("button", { type: "button", data: { do: "out" }, "aria-label": "zoom out" }, "−"), " ",
        el("button", { type: "button", data: { do: "fit" } }, "fit")),
      el("div", { class: "frame", tabindex: "0", role: "region", "aria-label": "Picture of the evidence" },
        el("div", { class: "graph", role: "img", "aria-label": "Layered graph of the evidence; the tables below contain the same facts." })),
      el("p", { class: "note", "aria-live": "polite" }, "Tap an edge for its fact and weight, a name for its edges."),
      el("figcaption", { class: "caption" }, graph.caption, " Paths run from left to right; the width is the model's weight. ",
        el("span", { class: "term" }, el("span", { class: "key named" }), doubt ? "on a named path, which the deletion test does not confirm" : "on a named path"), " ",
        el("span", { class: "term" }, el("span", { class: "key dash" }), "fact traversed backwards"))));
  const draw = () => { // it measures its place: only once it stands on the page
    if (!root.isConnected) { requestAnimationFrame(draw); return; }
    const cy = globalThis.drawExplanation(root, graph);
    if (pick) cy.on("tap", "edge", (event) => pick(event.target.data(), root.querySelector(".note")));
  };
  requestAnimationFrame(draw);
  return root;
}
