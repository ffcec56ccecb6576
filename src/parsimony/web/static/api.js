// Requests to the interface under /api/v1. A token, where the server asks for one, is a cookie.
import { button, el, fill } from "./dom.js";

const BASE = "/api/v1";

export class Refused extends Error {
  constructor(status, problem, again = 0) {
    super(problem.message);
    this.status = status; this.remedy = problem.remedy ?? ""; this.again = again; // seconds
  }
}

async function sent(path, { method = "GET", body, signal } = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(BASE + path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { message: "the server does not answer", remedy: "start it again: parsimony serve RUN" });
  }
  if (!answer.ok) {
    const found = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, found.error ?? { message: `the server answered ${answer.status}` }, Number(answer.headers.get("Retry-After")));
  }
  return answer;
}

export const query = (values) => {
  const made = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== null && one !== undefined && one !== "" && one !== false) made.append(name, one);
  const text = made.toString();
  return text ? `?${text}` : "";
};
export const ofRun = (run, rest = "") => `/runs/${encodeURIComponent(run)}${rest}`;

export const get = async (path, signal) => (await sent(path, { signal })).json();
export const send = async (path, body, { method = "POST", signal } = {}) => {
  const answer = await sent(path, { method, body, signal });
  return answer.status === 204 ? null : answer.json();
};
export const picture = async (path) => URL.createObjectURL(await (await sent(path)).blob());

export async function download(path, name, options) {
  const place = URL.createObjectURL(await (await sent(path, options)).blob());
  el("a", { href: place, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(place), 10_000);
}

// A long question as a job: it can be cancelled, and says how long it has taken.
export async function job(run, ask, body, place) {
  const made = await send("/jobs", { run, ask, body });
  let stopped = false;
  const said = el("span", {}, "Working …");
  fill(place, el("p", { class: "working" }, said, " ",
    button("Cancel", async () => { stopped = true; await send(`/jobs/${made.id}`, undefined, { method: "DELETE" }); })));
  for (let wait = 60; ; wait = Math.min(wait * 1.5, 1000)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    const found = await get(`/jobs/${made.id}`);
    if (found.state === "done") { fill(place); return found.result; }
    if (found.state === "failed") throw new Refused(400, found.error);
    if (found.state === "cancelled" || stopped) { fill(place, el("p", { class: "caption" }, "Cancelled.")); return null; }
    said.textContent = found.before ? `Waiting: ${found.before} before this one …` : `Working for ${found.seconds.toFixed(0)} s …`;
  }
}

// Where many ask at once the server says when to ask again; that is done, and said.
async function patiently(place, work, signal) {
  for (;;) {
    try {
      return await work(signal);
    } catch (error) {
      if (!(error instanceof Refused) || !error.again || signal.aborted) throw error;
      for (let left = error.again; left > 0 && !signal.aborted; left -= 1) {
        fill(place, el("p", { class: "caption", role: "status" }, `${error.message}. Asking again in ${left} s …`));
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
      if (signal.aborted) throw new DOMException("left", "AbortError");
    }
  }
}

const latest = new Map();
// Run `work(signal)` for a place on the page; a later call for the place ends an earlier one.
export async function into(place, work, waiting = "Working …") {
  latest.get(place)?.abort();
  const control = new AbortController();
  latest.set(place, control);
  place.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => { if (!place.hasChildNodes()) fill(place, el("p", { class: "caption" }, waiting)); }, 250);
  try {
    const found = await patiently(place, work, control.signal);
    if (!control.signal.aborted) fill(place, found ?? []);
  } catch (error) {
    if (error.name === "AbortError" || control.signal.aborted) return;
    if (!(error instanceof Refused)) throw error;
    fill(place, failure(error));
  } finally {
    clearTimeout(slow);
    if (latest.get(place) === control) place.removeAttribute("aria-busy");
  }
}

export function failure(error) {
  return el("div", { class: "failure", role: "alert" }, el("p", {}, el("b", {}, "Error: "), error.message),
    error.remedy ? el("p", {}, "What helps: ", error.remedy) : null);
}
