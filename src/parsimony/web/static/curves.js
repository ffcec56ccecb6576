// The learning curve of a run: a drawing for the loss and for each measure on validation.
import { el, number, svg } from "./dom.js";

export function curves(history, title = "Learning") {
  const series = [...new Set(history.flatMap((row) => Object.keys(row)))].filter((key) => key === "loss" || key.startsWith("valid"));
  const drawn = series.map((key) => [key, history.map((row, i) => [row.epoch ?? i + 1, row[key]]).filter(([, y]) => Number.isFinite(y))]).filter(([, points]) => points.length > 1);
  return drawn.length ? [el("h3", {}, title), el("div", { class: "curves" }, drawn.map(([key, points]) => el("figure", {}, el("figcaption", {}, key.replaceAll("_", " ")), curve(points, key.replaceAll("_", " "), series.includes("loss") ? "epoch" : "setting tried"))))] : null;
}

function curve(points, name, across) {
  const [W, H, L, R, T, B] = [480, 226, 66, 14, 14, 46];
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const X = (x) => L + ((x - x0) / (x1 - x0 || 1)) * (W - L - R), Y = (y) => T + ((y1 - y) / (y1 - y0 || 1)) * (H - T - B);
  const text = (x, y, words, more = {}) => svg("text", { x, y, "text-anchor": "middle", ...more }, words);
  return svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${name} by ${across}, from ${number(ys[0])} to ${number(ys.at(-1))}` },
    ...[y0, (y0 + y1) / 2, y1].flatMap((y) => [svg("line", { class: "grid", x1: L, x2: W - R, y1: Y(y), y2: Y(y) }), text(L - 8, Y(y) + 4, number(y), { "text-anchor": "end" })]),
    ...[...new Set([x0, Math.round((x0 + x1) / 2), x1])].map((x) => text(X(x), H - 28, String(x))),
    text((L + W - R) / 2, H - 8, across), svg("text", { transform: `translate(14 ${(T + H - B) / 2}) rotate(-90)`, "text-anchor": "middle" }, name),
    svg("polyline", { class: "line", points: points.map(([x, y]) => `${X(x).toFixed(1)},${Y(y).toFixed(1)}`).join(" ") }));
}
