// The state of a page is its address: Back works, and an address can be passed on.

let rendering = () => {};

export const read = () => new URLSearchParams(location.search);

export function address(changes, path = location.pathname) {
  const next = path === location.pathname ? read() : new URLSearchParams();
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== null && one !== undefined && one !== "" && one !== false) next.append(name, one === true ? "1" : one);
  }
  const text = next.toString();
  return text ? `${path}?${text}` : path;
}

export function go(changes, { replace = false } = {}) {
  const next = address(changes);
  if (next === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", next);
  rendering();
}

export function follow(render) {
  rendering = render;
  addEventListener("popstate", () => rendering());
  rendering();
}
