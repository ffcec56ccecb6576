"use strict";
(() => {
  const MARGIN = 24, FONT = 12;
  const measure = document.createElement("canvas").getContext("2d");
  const family = getComputedStyle(document.body).fontFamily;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function box(label, limit) { // a name in lines no wider than the limit, at most four
    measure.font = `${FONT}px ${family}`;
    const wide = (text) => measure.measureText(text).width;
    const lines = [""];
    for (let word of label.split(/(?<=[\s_\-/])/u)) {
      if (lines.at(-1) && wide(lines.at(-1) + word.trimEnd()) > limit) lines.push("");
      while (wide(word) > limit) { // one long word: break it where it must break
        let n = word.length - 1;
        while (n > 1 && wide(word.slice(0, n)) > limit) n--;
        lines[lines.length - 1] += word.slice(0, n); lines.push(""); word = word.slice(n);
      }
      lines[lines.length - 1] += word;
    }
    if (lines.length > 4) lines.splice(4, Infinity, "…");
    return { text: lines.map((line) => line.trim()).join("\n"), w: Math.max(...lines.map((line) => wide(line.trim()))) + 18, h: lines.length * FONT * 1.3 + 11 };
  }

  function palette(root) {
    const edge = css("--edge"), accent = css("--accent"), ink = css("--ink");
    const named = css(root.classList.contains("doubt") ? "--doubt" : "--accent");
    return [
      { selector: "node", style: {
        label: "data(text)", shape: "round-rectangle", width: "data(w)", height: "data(h)",
        "background-color": css("--node"), "border-color": css("--node-rule"), "border-width": 1,
        color: ink, "font-size": FONT, "font-family": family, "text-valign": "center",
        "text-wrap": "wrap", "text-max-width": 1000, "line-height": 1.15 } },
      { selector: "node[role='head']", style: { "background-color": css("--accent-soft"), "border-color": accent } },
      { selector: "node[role='answer']", style: { "background-color": css("--answer-soft"), "border-color": css("--answer") } },
      { selector: "edge", style: {
        width: "data(width)", "curve-style": "bezier", "control-point-step-size": 26, "arrow-scale": 0.8,
        "line-color": edge, "target-arrow-color": edge, "source-arrow-color": edge,
        "target-arrow-shape": "triangle", "font-size": 10.5, "font-family": family, color: css("--muted"),
        "text-background-color": css("--card"), "text-background-opacity": 0.9, "text-background-padding": 1.5 } },
      { selector: "edge[?named]", style: { "line-color": named, "target-arrow-color": named, "source-arrow-color": named, color: named, "z-index": 5 } },
      { selector: "edge[?shown]", style: { label: "data(label)" } },
      { selector: "edge[?inverse]", style: { "line-style": "dashed", "line-dash-pattern": [7, 4], "target-arrow-shape": "none", "source-arrow-shape": "triangle" } },
      { selector: "edge[?idle]", style: { "line-style": "dotted", "target-arrow-shape": "none", width: 1.6 } },
      { selector: "edge[bends]", style: {
        "curve-style": "round-segments", "edge-distances": "node-position", "segment-radii": 40,
        "segment-weights": "data(bends)", "segment-distances": "data(offsets)" } },
      { selector: ".faint", style: { opacity: 0.16 } },
      { selector: ".chosen", style: { "z-index": 9 } },
      { selector: "edge.chosen", style: { label: "data(label)" } },
    ];
  }

  function draw(root) {
    const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
    const holder = root.querySelector(".graph"), note = root.querySelector(".note");
    const hint = note.textContent;
    holder.style.minWidth = `${data.columns * 165}px`;
    const room = holder.clientWidth;
    const limit = Math.max(90, Math.min(170, room / data.columns * 0.62));
    const sizes = new Map(data.nodes.map((n) => [n.id, box(n.label, limit)]));
        const rows = Math.max(...[...data.nodes.map((n) => n.row), ...data.edges.flatMap((e) => e.via.map((v) => v[1]))].map(Math.abs)) * 2 + 1;
    const ROW = Math.max(rows > 9 ? 42 : 54, ...[...sizes.values()].map((size) => size.h + 10));
    const height = Math.max(200, rows * ROW + 2 * MARGIN), middle = height / 2;
    holder.style.height = `${height}px`;
    const edgeOf = (column) => Math.max(...data.nodes.filter((n) => n.column === column).map((n) => sizes.get(n.id).w)) / 2;
    const left = MARGIN + edgeOf(0), right = room - MARGIN - edgeOf(data.columns - 1);
    const gap = data.columns > 1 ? (right - left) / (data.columns - 1) : 0;
    const crowded = data.edges.length > 24;
    const spot = (column, row) => ({ x: left + gap * column, y: middle + row * ROW });
    const at = new Map(data.nodes.map((n) => [n.id, spot(n.column, n.row)]));
    const lanes = new Map();
    const bend = (e) => { // the slots that a long edge passes, relative to the line between its ends
      if (!e.via.length) return {};
      const s = at.get(e.source), t = at.get(e.target), dx = t.x - s.x, dy = t.y - s.y, length = Math.hypot(dx, dy);
      const key = `${e.source} ${e.target}`, lane = lanes.get(key) ?? 0;
      lanes.set(key, lane + 1);
      const points = e.via.map(([column, row]) => spot(column, row)).map((p) => ({ x: p.x - s.x, y: p.y - s.y + 11 * lane }));
      return {
        bends: points.map((p) => (p.x * dx + p.y * dy) / length ** 2),
        offsets: points.map((p) => (p.y * dx - p.x * dy) / length) };
    };
    const elements = [
      ...data.nodes.map((n) => ({ data: { ...n, ...sizes.get(n.id) }, position: at.get(n.id) })),
      ...data.edges.map((e, i) => ({
        data: { ...e, ...bend(e), id: `e${i}`, named: e.paths.length > 0, shown: !e.idle && (!crowded || e.paths.length > 0), width: 0.9 + 3.7 * e.share } })),
    ];
    const cy = cytoscape({
      container: holder, elements, layout: { name: "preset" }, style: palette(root), autoungrabify: false,
      userZoomingEnabled: false, boxSelectionEnabled: false, minZoom: 0.3, maxZoom: 3 });
    const repaint = () => cy.style(palette(root));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    addEventListener("beforeprint", repaint); addEventListener("afterprint", repaint);

    const clear = () => {
      cy.elements().removeClass("faint chosen"); note.textContent = hint;
      root.querySelectorAll("tr.chosen").forEach((row) => row.classList.remove("chosen"));
    };
    const choose = (some, text) => {
      clear(); cy.elements().addClass("faint"); some.removeClass("faint").addClass("chosen");
      some.connectedNodes().removeClass("faint"); some.filter("node").removeClass("faint"); note.textContent = text;
    };
    cy.on("tap", (event) => { if (event.target === cy) clear(); });
    cy.on("tap", "node", (event) => {
      const node = event.target, edges = node.connectedEdges(), n = edges.filter((e) => !e.data("idle")).length;
      choose(edges.union(node), `${node.data("label")}: ${n} evidence edge${n === 1 ? "" : "s"} drawn`);
    });
    const telling = (e) => e.idle ? "No fact: the walk waits here for a layer." :
      `Fact: ${e.fact}. Weight ${e.attention}.${e.inverse ? " Walked backwards." : ""}` +
      (e.paths.length ? ` On path ${e.paths.map((i) => i + 1).join(", ")}.` : "");
    cy.on("tap", "edge", (event) => choose(event.target, telling(event.target.data())));
    let before = null; // the note to come back to when the pointer leaves an edge
    cy.on("mouseover", "edge", (event) => { before = note.textContent; note.textContent = telling(event.target.data()); });
    cy.on("mouseout", "edge", () => { if (before !== null) note.textContent = before; before = null; });
    cy.on("tap", () => { before = null; }); // what was tapped stays said
    root.addEventListener("keydown", (event) => { if (event.key === "Escape") clear(); });
    root.querySelectorAll("tr[data-path]").forEach((row) => {
      const pick = () => {
        const i = Number(row.dataset.path);
        choose(cy.edges().filter((e) => e.data("paths").includes(i)), `Path ${i + 1}`);
        row.classList.add("chosen");
      };
      row.addEventListener("click", pick);
      row.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(); } });
    });
    const zoom = (factor) => cy.zoom({ level: cy.zoom() * factor, renderedPosition: { x: holder.clientWidth / 2, y: holder.clientHeight / 2 } });
    const tools = { in: () => zoom(1.25), out: () => zoom(0.8), fit: () => { clear(); cy.zoom(1); cy.pan({ x: 0, y: 0 }); } };
    root.querySelectorAll(".tools button").forEach((b) => b.addEventListener("click", tools[b.dataset.do]));
  }

  document.querySelectorAll("[data-explanation]").forEach(draw);
})();
