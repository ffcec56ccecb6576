"""Your own facts in a file: audit them, fit, keep the run, load it again."""

import tempfile
from pathlib import Path

import parsimony

folder = Path(tempfile.mkdtemp())
facts = [f"town{i}\t{way}\ttown{i + step}" for i in range(60) for way, step in
         (("next", 1), ("second", 2), ("third", 3))]  # fmt: skip
(folder / "roads.tsv").write_text("\n".join(facts) + "\n")

data = parsimony.datasets.load(str(folder / "roads.tsv"), seed=0)
print("popularity alone:", parsimony.audit(data)["popularity"]["metrics"])
_, summary = parsimony.fit(data, "rules", out=folder / "run")
model = parsimony.load_run(folder / "run")
print(model.evaluate("test")["metrics"])
print(model.predict(head="town7", relation="third", top=1))
