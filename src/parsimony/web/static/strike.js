// Evidence that a person has struck out, and the answers before and after.
import { button, count, el, held, notes, number, percent, plural, table } from "./dom.js";
import { ofRun, send } from "./api.js";
import { go, read } from "./state.js";

export const strikes = () => read().getAll("strike").flatMap((text) => {
  try { const entry = JSON.parse(text); return Array.isArray(entry) ? [entry] : []; } catch { return []; }
});
const keep = (entries) => go({ strike: entries.map((entry) => JSON.stringify(entry)) });

export function strike(...more) {
  const now = strikes().map((entry) => JSON.stringify(entry));
  keep([...new Set([...now, ...more.map((entry) => JSON.stringify(entry))])].map((text) => JSON.parse(text)));
}

const inWords = (entry, label) => {
  const [what, ...rest] = entry;
  if (what === "fact") return rest.map(label).join(" ");
  if (what === "node") return `entity ${label(rest[0])}`;
  if (what === "relation") return `relation ${label(rest[0])}`;
  if (what === "rule") return rest[0];
  return `all paths ${rest[0].map(([r, direction]) => (direction === "inverse" ? `←${label(r)}—` : `—${label(r)}→`)).join(" ")}`;
};

const putBack = (entries, label) => [
  el("h2", { id: "struck" }, "Without what was struck out"),
  el("ul", { class: "strikes" }, entries.map((entry, i) => el("li", {}, el("s", {}, inWords(entry, label)), " ",
    button("Put back", () => keep(strikes().filter((_, k) => k !== i)), { class: "small", "aria-label": `Put back ${inWords(entry, label)}` })))),
  entries.length > 1 ? el("p", {}, button("Put all back", () => keep([]))) : null,
];

// Of two drugs: how they interact with and without some facts.
export async function pairBeforeAndAfter(run, [head, tail], type, label, signal) {
  const entries = strikes();
  if (!entries.length) return null;
  const found = await send(ofRun(run.id, "/strike"), { head, tail, top: 10, facts: entries.filter((entry) => entry[0] === "fact").map((entry) => entry.slice(1)) }, { signal });
  const key = (a) => `${a.drug1} ${a.type} ${a.drug2}`;
  const before = new Map(found.before.answers.map((a) => [key(a), a.probability]));
  const now = found.after.answers.find((a) => key(a) === type), was = before.get(type);
  const side = (title, answers, moved) => el("div", {}, el("h3", {}, title),
    table(`${title}: how the two interact`, [
      { head: "probability", n: true, cell: (a) => percent(a.probability) },
      { head: "interaction", cell: (a) => a.text },
      ...(moved ? [{ head: "before", n: true, cell: (a) => percent(before.get(key(a))) }] : []),
    ], answers, { row: (a) => ({ class: key(a) === type ? "chosen" : null }) }));
  return [
    putBack(entries, label),
    was !== undefined ? el("p", { class: "verdict", role: "status" }, `Its probability goes from ${percent(was)} to ${now ? percent(now.probability) : "less than that of the ten most probable"}, once ${plural(found.n_struck, "fact")} ${found.n_struck === 1 ? "is" : "are"} gone.`) : null,
    el("div", { class: "beside" }, side("Before", found.before.answers, false), side("After", found.after.answers, true)),
    el("p", { class: "caption" }, found.method), notes(found.notes),
  ];
}

export async function beforeAndAfter(run, question, label, signal) {
  const entries = strikes();
  if (!entries.length) return null;
  const of = (what) => entries.filter((entry) => entry[0] === what);
  const tailAsked = question.side !== "head";
  const found = await send(ofRun(run.id, "/strike"), {
    [tailAsked ? "head" : "tail"]: tailAsked ? question.head : question.tail, relation: question.relation,
    answer: tailAsked ? question.tail : question.head, top: 10,
    facts: of("fact").map((entry) => entry.slice(1)), nodes: of("node").map((entry) => entry[1]),
    relations: of("relation").map((entry) => entry[1]), kinds: of("kind").map((entry) => entry[1]), rules: of("rule").map((entry) => entry[1]),
  }, { signal });
  const followed = tailAsked ? question.tail : question.head;
  const rank = new Map(found.before.answers.map((a, i) => [a.entity, i + 1]));
  const side = (title, answers, about, moved) => el("div", {},
    el("h3", {}, title),
    table(`${title}: ranked answers`, [
      { head: "rank", n: true, cell: (a, i) => i + 1 },
      { head: "answer", cell: (a) => [el("b", {}, held(about, a.entity)?.label ?? label(a.entity)), (held(about, a.entity)?.known ?? "no") === "no" ? null : el("span", { class: "known" }, " known")] },
      { head: "probability", n: true, cell: (a) => percent(a.probability) },
      ...(moved ? [{ head: "before", n: true, cell: (a) => rank.get(a.entity) ?? `> ${found.before.answers.length}` }] : []),
    ], answers, { row: (a) => ({ class: a.entity === followed ? "chosen" : null }) }));
  const now = found.answer;
  return [
    putBack(entries, label),
    now ? el("p", { class: "verdict", role: "status" }, el("b", {}, label(now.entity)),
      now.before.rank === now.after.rank ? ` stays at rank ${count(now.after.rank)}, ` : ` goes from rank ${count(now.before.rank)} to ${count(now.after.rank)}, `,
      `other known answers left out; its probability goes from ${percent(now.before.probability)} to ${percent(now.after.probability)}`,
      now.before.score !== null && now.after.score !== null ? ` (score ${number(now.before.score)} to ${number(now.after.score)})` : "",
      `, once ${plural(found.n_struck, "fact")} ${found.n_struck === 1 ? "is" : "are"} gone.`) : null,
    el("div", { class: "beside" }, side("Before", found.before.answers, found.before.about, false), side("After", found.after.answers, found.after.about, true)),
    el("p", { class: "caption" }, found.method),
    notes(found.notes),
  ];
}
