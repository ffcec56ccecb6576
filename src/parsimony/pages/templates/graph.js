"use strict";
(() => {
  const MARGIN = 24, FONT = 12, SMALL = 10.5;
  const measure = document.createElement("canvas").getContext("2d");
  const family = getComputedStyle(document.body).fontFamily;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function box(label, limit, size = FONT, pad = 18, longest = 130, most = 4) { // a name in few lines no wider than the limit, or than a word that is not longer still
    measure.font = `${size}px ${family}`;
    const wide = (text) => measure.measureText(text).width;
    const lines = [""];
    for (let word of label.split(/(?<=[\s_\-/])/u)) {
      if (lines.at(-1) && wide(lines.at(-1) + word.trimEnd()) > limit) lines.push("");
      while (wide(word) > Math.max(limit, longest)) { // no word but an id: break it where it must break
        let n = word.length - 1;
        while (n > 1 && wide(word.slice(0, n)) > limit) n--;
        lines[lines.length - 1] += word.slice(0, n); lines.push(""); word = word.slice(n);
      }
      lines[lines.length - 1] += word;
    }
    if (lines.length > most) lines.splice(most - 1, Infinity, `${lines[most - 1].trim()} …`);
    return { text: lines.map((line) => line.trim()).join("\n"), w: Math.max(...lines.map((line) => wide(line.trim()))) + pad, h: lines.length * size * 1.3 + pad * 0.6 };
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
        "target-arrow-shape": "triangle" } },
      { selector: "edge[?named]", style: { "line-color": named, "target-arrow-color": named, "source-arrow-color": named, "z-index": 5 } },
      // The name of a relation is a box of its own, above all lines: no line strikes it through.
      { selector: "node.label", style: {
        shape: "rectangle", "background-color": css("--card"), "border-width": 0, events: "no", padding: 0,
        "font-size": SMALL, color: css("--muted"), display: "none" } },
      { selector: "node.label[?named]", style: { color: named } },
      { selector: "node.label[?shown], node.label.chosen", style: { display: "element" } },
      { selector: "edge[?inverse]", style: { "line-style": "dashed", "line-dash-pattern": [7, 4], "target-arrow-shape": "none", "source-arrow-shape": "triangle" } },
      { selector: "edge[?idle]", style: { "line-style": "dotted", "target-arrow-shape": "none", width: 1.6 } },
      { selector: "edge[bends]", style: {
        "curve-style": "round-segments", "edge-distances": "node-position", "segment-radii": 40,
        "segment-weights": "data(bends)", "segment-distances": "data(offsets)" } },
      { selector: ".faint", style: { opacity: 0.16 } },
      { selector: ".chosen", style: { "z-index": 9 } },
      { selector: "edge.struck", style: { "line-style": "dotted", "line-color": css("--doubt"), "target-arrow-color": css("--doubt"), "source-arrow-color": css("--doubt"), opacity: 0.6 } },
    ];
  }

  function along(edge) { // points on a drawn edge, from its source to its target
    const bends = edge.segmentPoints() ?? [], controls = edge.controlPoints() ?? [];
    const ends = [edge.sourceEndpoint(), edge.targetEndpoint()], points = [];
    const line = [ends[0], ...bends, ends[1]];
    for (let t = 0.04; t < 0.97; t += 0.04) {
      if (controls.length) {
        const [c] = controls, u = 1 - t;
        points.push({ x: u * u * ends[0].x + 2 * u * t * c.x + t * t * ends[1].x, y: u * u * ends[0].y + 2 * u * t * c.y + t * t * ends[1].y });
      } else {
        const at = t * (line.length - 1), i = Math.min(Math.floor(at), line.length - 2), f = at - i;
        points.push({ x: line[i].x + f * (line[i + 1].x - line[i].x), y: line[i].y + f * (line[i + 1].y - line[i].y) });
      }
    }
    return points;
  }

  function place(cy) { // each name of a relation on its edge, where it hides least
    const taken = cy.nodes().not(".label").map((node) => ({ ...node.position(), w: node.width(), h: node.height() }));
    const lines = new Map(cy.edges().map((edge) => [edge.id(), along(edge)]));
    const meet = (a, b) => Math.max(0, (a.w + b.w) / 2 - Math.abs(a.x - b.x)) * Math.max(0, (a.h + b.h) / 2 - Math.abs(a.y - b.y));
    const labels = cy.nodes(".label").sort((a, b) => (b.data("shown") ?? 0) - (a.data("shown") ?? 0));
    for (const label of labels) {
      const own = lines.get(label.data("of")), size = { w: label.data("w"), h: label.data("h") };
      let best = null, least = Infinity;
      own.forEach((point, i) => {
        const here = { ...point, ...size };
        let cost = Math.abs(i - own.length / 2) * 4;
        for (const other of taken) cost += 3 * meet(here, other);
        for (const [id, points] of lines) if (id !== label.data("of"))
          for (const p of points) if (Math.abs(p.x - here.x) < here.w / 2 && Math.abs(p.y - here.y) < here.h / 2) cost += 60;
        if (cost < least) [best, least] = [here, cost];
      });
      label.position(best);
      if (label.data("shown")) taken.push(best);
    }
  }

  function draw(root, data) {
    const holder = root.querySelector(".graph"), note = root.querySelector(".note");
    const hint = note.textContent;
    holder.style.minWidth = `${data.columns * 190}px`;
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
    const between = Math.max(84, gap - Math.max(...[...sizes.values()].map((size) => size.w)) - 6);
    cy.add(cy.edges().filter((e) => !e.data("idle")).map((e) => ({
      classes: "label", grabbable: false, selectable: false,
      data: { id: `${e.id()}-label`, of: e.id(), named: e.data("named"), shown: e.data("shown"), ...box(e.data("label"), between, SMALL, 4, 110, 2) } })));
    place(cy);
    cy.on("drag", "node", () => place(cy));
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
      some.filter("edge").forEach((e) => cy.$id(`${e.id()}-label`).removeClass("faint").addClass("chosen"));
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
    return cy;
  }

  globalThis.drawExplanation = draw; // for pages that fetch what they draw
  document.querySelectorAll("[data-explanation]").forEach((root) =>
    draw(root, JSON.parse(root.querySelector("script[type='application/json']").textContent)));
})();
