// A field that finds names as one types: a combobox after the ARIA authoring practices.
import { at, el, fill, plural } from "./dom.js";
import { get, ofRun, query } from "./api.js";

// `field` is the id of an <input> beside a <ul>; `choose(entity)` is called with what was chosen.
export function finder(id, run, choose, { type = () => "" } = {}) {
  const field = at(id), shown = at(`${id}-list`);
  let found = [], active = -1, timer = 0, control = null, settled = "";
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", shown.id);
  shown.setAttribute("role", "listbox");
  shown.setAttribute("aria-label", "Names found");

  const close = () => {
    fill(shown); shown.hidden = true; active = -1;
    field.setAttribute("aria-expanded", "false"); field.removeAttribute("aria-activedescendant");
  };
  const mark = (i) => {
    active = i;
    [...shown.children].forEach((option, k) => option.setAttribute("aria-selected", String(k === i)));
    field.setAttribute("aria-activedescendant", i >= 0 ? `${id}-${i}` : "");
    shown.children[i]?.scrollIntoView({ block: "nearest" });
  };
  const take = (i) => {
    const entity = found[i];
    field.value = settled = entity.label; field.dataset.name = entity.name;
    close(); choose(entity);
  };
  const look = async () => {
    control?.abort(); control = new AbortController();
    const typed = field.value;
    try {
      const answer = await get(ofRun(run, `/entities${query({ q: field.value.trim(), type: type(), limit: 12 })}`), control.signal);
      found = answer.entities;
    } catch (error) {
      if (error.name === "AbortError") return;
      found = [];
    }
    if (document.activeElement !== field || field.value !== typed) return;
    fill(shown, found.length ? found.map((entity, i) => el("li", {
      role: "option", id: `${id}-${i}`, "aria-selected": "false",
      on: { mousedown: (event) => { event.preventDefault(); take(i); } } },
      el("b", {}, entity.label),
      entity.label === entity.name ? null : el("span", { class: "muted" }, ` ${entity.name}`),
      el("span", { class: "muted" }, ` ${[...(entity.types ?? []).slice(0, 2), entity.degree ? plural(entity.degree, "fact") : ""].filter(Boolean).join(", ")}`),
      entity.match === "near" ? el("span", { class: "muted" }, " · similar spelling") : null))
      : el("li", { role: "option", "aria-disabled": "true", "aria-selected": "false", class: "muted" }, "No name like this"));
    shown.hidden = false; active = -1;
    field.setAttribute("aria-expanded", "true");
  };
  field.addEventListener("input", () => { // what was found for other letters is no longer to be taken
    delete field.dataset.name; found = []; close(); control?.abort(); clearTimeout(timer); timer = setTimeout(look, 120);
  });
  field.addEventListener("focus", () => { if (!field.value) look(); else field.select(); });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !shown.hidden) { close(); event.preventDefault(); }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (shown.hidden) { look(); return; }
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (found.length) mark((active + step + found.length) % found.length);
    }
    if (event.key === "Enter" && !shown.hidden && found.length && field.value !== settled) { event.preventDefault(); take(Math.max(active, 0)); }
  });
  close();
  return {
    get name() { return field.dataset.name ?? field.value.trim(); },
    set(name, label) { field.value = settled = label ?? name ?? ""; if (name) field.dataset.name = name; else delete field.dataset.name; },
  };
}
