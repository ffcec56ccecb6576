"""Random requests to a served run: none may end in a 500.

    python benchmarks/fuzz_http.py RUN [RUN …] [--requests 10000] [--seed 0]

Addresses, query strings, bodies and headers are drawn: of real routes and names, of pieces of them,
and of text that has broken other servers.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

ODD = [
    "", " ", "?", "#", "%", "%00", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "\x00", "\n",
    "\r\nSet-Cookie: a=b", "<script>alert(1)</script>", "'; DROP TABLE runs; --", "\ud800", "é",
    "￿", "𝕏" * 5, "a" * 3000, "-1", "1e999", "NaN", "null", "true", "[]", "{}", "0x10", "٣",
    "9" * 400, "{{7*7}}", "\\", '"', "C:\\", "file:///etc/passwd", "​", "\u202e", "⁻¹",
]  # fmt: skip
VERBS = ["predict", "explain", "strike", "what-else", "counterfactual", "rules", "pair", "partners",
         "add-drug", "adapt", "book", "book/entries", "book/measure", "book/file", "history",
         "entities", "types", "relations", "facts", "predict/batch", ""]  # fmt: skip
FIELDS = ["head", "relation", "tail", "top", "candidates", "drop_known", "type", "side", "seed",
          "full", "answer", "facts", "nodes", "relations", "kinds", "rules", "steps", "beyond",
          "most", "among", "text", "drugs", "name", "smiles", "enzymes", "support", "predict",
          "prevalence", "questions", "run", "ask", "body"]  # fmt: skip


_TAKEN_BY_POST = {"predict", "explain", "strike", "what-else", "counterfactual", "pair", "add-drug",
                  "adapt", "book/entries", "book/measure", "predict/batch"}  # fmt: skip
_TAKEN_BY_GET = {*VERBS} - _TAKEN_BY_POST | {"predict", "explain", "pair"}


class Fuzz:
    """Draws requests about some runs.

    ``names`` are known words: entities, relations, drugs.
    """

    def __init__(self, runs: list[str], names: list[str], seed: int) -> None:
        self.runs, self.names, self.draw = runs, names, random.Random(seed)

    def text(self) -> str:
        draw = self.draw
        kind = draw.random()
        if kind < 0.5:
            return draw.choice(self.names)
        if kind < 0.7:
            return draw.choice(ODD)
        if kind < 0.85:
            word = draw.choice(self.names)
            at = draw.randrange(len(word) + 1)
            return word[:at] + draw.choice(ODD)[:50] + word[at:]
        return "".join(chr(draw.randrange(1, 0xD7FF)) for _ in range(draw.randrange(30)))

    def value(self, depth: int = 0) -> Any:
        draw = self.draw
        kind = draw.random()
        if depth > 4 or kind < 0.45:
            return self.text()
        if kind < 0.6:
            return draw.choice([0, 1, -1, 2, 10, 10**6, 10**30, 0.5, -0.0, 1e308, True, None])
        if kind < 0.9:
            return [self.value(depth + 1) for _ in range(draw.randrange(4))]
        return {draw.choice(FIELDS): self.value(depth + 1) for _ in range(draw.randrange(4))}

    def body(self, verb: str) -> Any:
        draw, names = self.draw, self.names
        fact = {"head": draw.choice(names), "relation": draw.choice(names),
                "tail": draw.choice(names)}  # fmt: skip
        way = draw.choice(["forward", "inverse"])
        sound: dict[str, Any] = {
            "predict": {"head": fact["head"], "relation": fact["relation"]},
            "strike": {"head": fact["head"], "relation": fact["relation"], "answer": fact["tail"],
                       "relations": [draw.choice(names)], "nodes": [draw.choice(names)]},
            "what-else": {**fact, "steps": [[draw.choice(names), way]]},
            "counterfactual": {**fact, "most": 1, "beyond": 1},
            "predict/batch": {"questions": [{"head": fact["head"], "relation": fact["relation"]}]},
            "pair": {"drugs": [fact["head"], fact["tail"]]},
            "add-drug": {"name": self.text(), "smiles": draw.choice(["CCO", "C1", self.text()])},
            "adapt": {"support": [{"smiles": "CCO", "label": 1}, {"smiles": "CCC", "label": 0},
                                  {"item": draw.choice(names), "rating": 3}][: draw.randrange(4)],
                      "predict": [draw.choice(["CCCO", *names])]},
            "book/entries": {"text": draw.choice([
                f"{fact['relation']}(X,Y) <- {fact['relation']}(Y,X)", self.text()])},
            "book/measure": {"text": f"{fact['relation']}(X,Y) <- {self.text()}(Y,X)"},
        }  # fmt: skip
        found = sound.get(verb, fact)
        for _ in range(draw.choice([0, 0, 1, 1, 2])):
            found[draw.choice([*found, *FIELDS])] = self.value()
        return found

    def request(self) -> tuple[str, str, dict[str, str], bytes]:
        """Draw one: method, address, headers, body."""
        draw = self.draw
        verb = draw.choice(VERBS)
        run = draw.choice(self.runs) if draw.random() < 0.9 else self.text()
        usual = [verb in _TAKEN_BY_GET and "GET", verb in _TAKEN_BY_POST and "POST"]
        method = draw.choice(list(filter(None, usual)))
        if draw.random() < 0.1:
            method = draw.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"])
        safe = "/" if draw.random() < 0.5 else ""
        path = f"/api/v1/runs/{quote(run, safe=safe, errors='replace')}/{verb}".rstrip("/")
        if draw.random() < 0.1:
            path = draw.choice([
                "/", "/metrics", "/api/v1/table", "/api/v1/jobs", "/api/v1/molecule.svg",
                "/api/v1/docs", "/api/v1/openapi.json", "/static/../app.py",
                f"/static/{quote(self.text(), errors='replace')}",
                f"/api/v1/jobs/{quote(self.text(), errors='replace')}",
                f"/{quote(self.text(), errors='replace')}",
            ])  # fmt: skip
        keys = [draw.choice([*FIELDS, "q", "entity", "drug", "drug", "limit", "format", "sort"])
                for _ in range(draw.randrange(5))]  # fmt: skip
        if method in ("GET", "HEAD") and draw.random() < 0.6:
            keys = ["head", "relation", *keys[:2]]
        query = "&".join(f"{k}={quote(self.text(), errors='replace')}" for k in keys)
        headers = {"content-type": "application/json"}
        if draw.random() < 0.1:
            name = draw.choice(["if-none-match", "accept", "content-type", "cookie", "range",
                                "authorization", "origin", "host", "x-forwarded-for"])  # fmt: skip
            headers[name] = quote(self.text(), safe=" /:*<>'\"=;", errors="replace")
        body = b""
        if method in ("POST", "PUT"):
            content = self.body(verb) if draw.random() < 0.9 else self.value()
            body = json.dumps(content).encode()
            if draw.random() < 0.1:
                body = body[: draw.randrange(len(body) + 1)] + draw.choice(
                    [b"", b"\xff", b"NaN", b"[" * 5000]
                )
        return method, path + f"?{query}" * bool(query), headers, body


def known_names(client: Any, runs: list[str]) -> list[str]:
    """Some entities and relations of all runs."""
    names = ["word"]
    for run in runs:
        for part, key in (("entities?limit=20", "entities"), ("relations", "relations")):
            rows = client.get(f"/api/v1/runs/{run}/{part}").json()[key]
            names += [row["name"] for row in rows[:20]]
    return names


def ask_all(client: Any, runs: list[str], n: int, seed: int) -> tuple[Counter[int], list[str]]:
    """Send ``n`` requests; returns how often each status came, and what ended in 500."""
    fuzz, statuses, failed = Fuzz(runs, known_names(client, runs), seed), Counter[int](), []
    for _ in range(n):
        method, address, headers, body = fuzz.request()
        found = client.request(method, address, headers=headers, content=body)
        statuses[found.status_code] += 1
        if found.status_code == 500:
            failed.append(f"{method} {address} {headers} {body!r}"[:1500])
    return statuses, failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    from fastapi.testclient import TestClient

    from parsimony.web.app import create_app
    from parsimony.web.served import Service

    service = Service(given.runs)
    app, begin = create_app(service), time.perf_counter()
    with TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False) as client:
        statuses, failed = ask_all(client, list(service.runs), given.requests, given.seed)
    result = {"requests": given.requests, "seed": given.seed, "runs": list(service.runs),
              "statuses": dict(sorted(statuses.items())), "failed": len(failed),
              "seconds": round(time.perf_counter() - begin, 1)}  # fmt: skip
    print(json.dumps(result))
    for line in failed[:20]:
        print(line, file=sys.stderr)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
