"""Check what a release holds: ``python scripts/check_wheel.py dist``.

The wheel must have what the program reads at run time and nothing of the tests; both files must be
small, and the source archive must have what a packager needs.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

NEEDED = (
    "parsimony/__init__.py", "parsimony/py.typed", "parsimony/datasets/recipes.toml",
    "parsimony/datasets/editions.toml", "parsimony/datasets/embedded/royal/train.txt",
    "parsimony/datasets/embedded/cyp/train.txt", "parsimony/pages/vendor/vendored.json",
)  # fmt: skip
SOURCE = ("pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "tests/conftest.py",
          "docs/index.md", "src/parsimony/__init__.py")  # fmt: skip
WHEEL_MIB, SOURCE_MIB = 4.0, 12.0


def problems(folder: Path) -> list[str]:
    """What is wrong with the two files of a release; empty if nothing is."""
    found = []
    wheels, archives = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    if len(wheels) != 1 or len(archives) != 1:
        return [f"{len(wheels)} wheels and {len(archives)} source archives, expected one of each"]
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = wheel.namelist()
    found += [f"the wheel lacks {name}" for name in NEEDED if name not in names]
    other = [n for n in names if not n.startswith(("parsimony/", "parsimony_learning-"))]
    found += [f"the wheel holds {name}" for name in other]
    found += [f"the wheel holds {n}" for n in names if n.endswith((".pyc", ".nbi", ".nbc"))]
    with tarfile.open(archives[0]) as packed:
        inside = {name.split("/", 1)[-1] for name in packed.getnames()}
    found += [f"the source archive lacks {name}" for name in SOURCE if name not in inside]
    for path, most in ((wheels[0], WHEEL_MIB), (archives[0], SOURCE_MIB)):
        size = path.stat().st_size / 2**20
        if size > most:
            found.append(f"{path.name} has {size:.1f} MiB, more than {most}")
    return found


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1] if len(sys.argv) > 1 else "dist"))
    sys.stdout.write("".join(f"{line}\n" for line in wrong) or "the release is whole\n")
    sys.exit(bool(wrong))
