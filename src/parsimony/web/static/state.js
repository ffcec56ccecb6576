// The state of a page is its address: Back works, and an address can be passed on.

let rendering = () => {}, shown = null;

export const read = () => new URLSearchParams(location.search);

// The address of this state with some changes; of a page that is named, with nothing else.
export function address(changes, page = null) {
  const path = page ?? location.pathname, next = page === null ? read() : new URLSearchParams();
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

export async function follow(render) {
  rendering = () => { shown = location.search; return render(); };
  addEventListener("popstate", () => { if (location.search !== shown) rendering(); }); // not for a fragment alone
  try {
    await rendering();
  } finally {
    document.getElementById("main").removeAttribute("aria-busy"); // frame() has set it; each place says it from here on
  }
}
