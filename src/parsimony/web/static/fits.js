// Fits: start one, watch its curve, its race and its log, stop it, go on, and ask what came of it.
import { at, button, count, el, fill, number, plural, table } from "./dom.js";
import { failure, get, into, Refused, send } from "./api.js";
import { curves } from "./curves.js";
import { race, raceCurves } from "./race.js";
import { first, frame, titled } from "./frame.js";
import { address, follow, go, read } from "./state.js";

await frame();
const EVERY = 1000, of = (id, rest = "") => `/fits/${encodeURIComponent(id)}${rest}`;
const STATE = { running: "is running", stopping: "writes what it has learned, and stops", stopped: "was stopped", finished: "has finished", failed: "failed" };
const offered = await get("/fits").catch((error) => { fill(at("off"), failure(error)); return { enabled: false, data: null }; });
let timer = 0, shown = {}, current = null, lost = false;

at("ask").hidden = !offered.enabled;
if (!offered.enabled && offered.data) {
  fill(at("off"), el("p", {}, "This server was not told where fits may write their runs. Start it with "), el("pre", {}, "parsimony serve RUN … --fits FOLDER"));
}
fill(at("data"), (offered.data ?? []).map((one) => el("option", { value: one.name }, one.name)));

function methods() {
  const one = (offered.data ?? []).find((each) => each.name === at("data").value);
  if (!one) return;
  const before = at("method").value;
  fill(at("method"), el("option", { value: "auto" }, "auto: let methods race"), one.methods.map((name) => el("option", { value: name }, name)));
  at("method").value = one.methods.includes(before) ? before : "auto";
  fill(at("told"), one.summary, one.summary ? ". " : "", at("method").value === "auto" ? `The race: ${one.races.join(", ")}; the simplest that is not worse than the best wins.` : "");
  at("minutes").placeholder = at("method").value === "auto" ? "10" : "no limit";
}
at("data").addEventListener("change", methods);
at("method").addEventListener("change", methods);
methods();

const settings = () => Object.fromEntries(at("settings").value.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
  const [name, ...value] = line.split("=");
  let read;
  try { read = JSON.parse(value.join("=").trim()); } catch { read = null; }
  if (typeof read !== "number" && typeof read !== "boolean") throw new Refused(0, { message: `not a number, true or false: ${line}`, remedy: "write name = 32, one a line; other parameters are for the command line" });
  return [name.trim(), read];
}));

async function guarded(act) {
  try { fill(at("said")); await act(); } catch (error) {
    if (!(error instanceof Refused)) throw error;
    fill(at("said"), failure(error));
  }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(async () => {
    const made = await send("/fits", {
      data: at("data").value, method: at("method").value, seed: Number(at("seed").value) || 0,
      ...(at("epochs").value ? { epochs: Number(at("epochs").value) } : {}),
      ...(at("minutes").value ? { seconds: 60 * Number(at("minutes").value) } : {}), settings: settings(),
    });
    go({ fit: made.id });
  });
});

// What is shown is drawn again only where it has changed: the focus stays, a reader is not told twice.
function put(place, key, ...children) {
  const text = JSON.stringify(key);
  if (shown[place] === text) return;
  shown[place] = text;
  const had = at(place).contains(document.activeElement);
  fill(at(place), ...children);
  if (had) at("state").focus(); // a button that is gone takes the focus with it
}

const gigabytes = (bytes) => `${number(bytes / 1e9, 2)} GB`;
const duration = (seconds) => (seconds >= 5400 ? `${(seconds / 3600).toFixed(1)} h` : seconds >= 90 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds)} s`);
const act = (text, id, rest, method, more = {}) => button(text, () => guarded(async () => { await send(of(id, rest), undefined, { method }); render(); }), more);

function tools(fit) {
  const live = fit.state === "running" || fit.state === "stopping";
  return [
    live ? act(fit.state === "running" ? "Stop" : "Stop at once", fit.id, "", "DELETE") : null,
    fit.resumable ? act("Go on", fit.id, "/resume", "POST") : null,
    fit.usable ? button("Ask it", () => guarded(async () => {
      const run = await send(of(fit.id, "/serve"), undefined);
      location.assign(address({ run: run.id }, first(run)));
    }), { class: "main" }) : null,
  ];
}

function one(fit) {
  const live = fit.state === "running" || fit.state === "stopping";
  at("one").hidden = false;
  put("one-title", fit.id, fit.method === "auto" ? `A race on ${fit.data}` : `${fit.method} on ${fit.data}`);
  const where = fit.epoch === null ? "" : `${fit.learning ? `: ${fit.learning}` : ""}, epoch ${count(fit.epoch)}${fit.epochs ? ` of at most ${count(fit.epochs)}` : ""}`;
  const left = fit.seconds_left === null ? "" : fit.seconds_left < 1 ? "; its time is over, and it ends" : `; at most ${duration(fit.seconds_left)} more`;
  const words = live ? `It ${STATE[fit.state]}${where}, for ${duration(fit.seconds)}${left}.` : `It ${STATE[fit.state]}${fit.seconds < 1 ? "" : ` after ${duration(fit.seconds)}`}${where}.`;
  put("state", words, words, fit.said && !live ? ` ${fit.said}.` : "",
    fit.state === "stopped" && !fit.usable ? " It has no run yet that can be asked; what it has learned is kept." : "");
  const valid = Object.entries(fit.valid ?? {});
  put("race", [fit.heats, valid, fit.error], fit.error ? failure(fit.error) : null,
    valid.length ? el("p", {}, `On validation: ${valid.map(([name, value]) => `${name.replaceAll("_", " ")} ${number(value)}`).join(", ")}.`) : null,
    race(fit.heats, fit.measure, { row: (row) => ({ class: !live && row.state.startsWith("chosen") ? "chosen" : null }) }));
  put("curve", fit.history.length ? [fit.learning, fit.history.at(-1)] : null, curves(fit.history) ?? (live && fit.epoch === null ? el("p", { class: "caption" }, "No epoch has ended yet: data are read and loops compiled.") : null));
  put("curves", fit.curves.map((one) => [one.method, one.history.length]), raceCurves(fit.curves, fit.learning || fit.heats.find((row) => row.state.startsWith("chosen"))?.method));
  at("log").hidden = !fit.log.length; at("last").textContent = fit.log.at(-1) ?? ""; at("lines").textContent = fit.log.join("\n");
  put("tools", [fit.state, fit.usable, fit.resumable], tools(fit));
  at("progress").hidden = !live || !fit.epochs || fit.epoch === null;
  at("progress").setAttribute("aria-label", "Epochs");
  if (fit.epochs) { at("progress").max = fit.epochs; at("progress").value = fit.epoch ?? 0; }
  return live;
}

function all(fits) {
  return [el("h2", {}, "All fits"), fits.length ? table("All fits", [
    { head: "fit", cell: (fit) => el("a", { href: address({ fit: fit.id }), "aria-label": `Show ${fit.id}` }, fit.id) },
    { head: "data", cell: (fit) => fit.data }, { head: "method", cell: (fit) => fit.method },
    { head: "state", cell: (fit) => `${STATE[fit.state]}${fit.served ? `, served as ${fit.served}` : ""}` },
    { head: "seconds", n: true, cell: (fit) => (fit.state === "running" ? "–" : number(fit.seconds)) },
  ], fits, { className: "stack", row: (fit) => ({ class: fit.id === read().get("fit") ? "chosen" : null }) })
    : el("p", { class: "muted" }, `None yet. At most ${plural(offered.most, "fit")} run at a time, each in at most ${gigabytes(offered.memory)} of memory.`)];
}

function render() {
  clearTimeout(timer);
  const id = read().get("fit");
  titled(id ?? "Fits");
  if (!offered.enabled) return;
  if (id !== current) { at("one").hidden = true; shown = {}; current = id; }
  into(at("found"), async (signal) => {
    const found = await get("/fits", signal);
    if (id) watch(id, one(await get(of(id), signal)));
    return all(found.fits);
  });
}

function watch(id, live) {
  clearTimeout(timer);
  if (!live) return;
  timer = setTimeout(async () => {
    if (read().get("fit") !== id) return;
    if (document.hidden) { watch(id, true); return; }
    try {
      const fit = await get(of(id));
      if (lost) { fill(at("said")); lost = false; }
      if (read().get("fit") !== id) return;
      if (one(fit)) watch(id, true); else render();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      fill(at("said"), failure(error));
      lost = error.status !== 404; // a server that is busy, or away for a moment, is asked again
      if (lost && read().get("fit") === id) watch(id, true);
    }
  }, EVERY);
}

follow(render);
