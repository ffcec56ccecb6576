"""What a release is made of: metadata that agree, a container without rights, whole archives."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from scripts.check_wheel import NEEDED, SOURCE, problems

from parsimony.version import __version__

ROOT = Path(__file__).resolve().parents[1]


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_citation_is_of_this_version():
    cited = dict(re.findall(r"^([\w-]+): (.+)$", text_of("CITATION.cff"), re.M))
    assert cited["version"] == __version__
    assert cited["license"] == tomllib.loads(text_of("pyproject.toml"))["project"]["license"]
    assert cited["cff-version"] == "1.2.0"


def test_the_container_runs_without_rights():
    steps = [line for line in text_of("Containerfile").replace("\\\n", " ").splitlines()
             if line and not line.startswith("#")]  # fmt: skip
    words = [step.split(maxsplit=1) for step in steps]
    assert words[0][0] == "FROM" and ":" in words[0][1] and "latest" not in words[0][1]
    users = [int(rest) for word, rest in words if word == "USER"]
    assert users and users[-1] > 0
    last = [word for word, _ in words].index("USER")
    assert not [rest for word, rest in words[last:] if word == "RUN"]
    for word, rest in words:
        if word == "COPY":
            assert all((ROOT / source).exists() for source in rest.split()[:-1]), rest
        if word in ("ENTRYPOINT", "CMD"):
            assert json.loads(rest)[0] == "parsimony"


@pytest.fixture
def release(tmp_path):
    """A release of the right names, every file empty."""
    with zipfile.ZipFile(tmp_path / "p-1-py3-none-any.whl", "w") as wheel:
        for name in NEEDED:
            wheel.writestr(name, "")
    with tarfile.open(tmp_path / "p-1.tar.gz", "w:gz") as packed:
        for name in SOURCE:
            packed.addfile(tarfile.TarInfo(f"p-1/{name}"), io.BytesIO())
    return tmp_path


def test_a_whole_release_passes(release):
    assert problems(release) == []


def test_what_is_missing_or_too_much_is_named(release):
    with zipfile.ZipFile(release / "p-1-py3-none-any.whl", "a") as wheel:
        wheel.writestr("tests/conftest.py", "")
        wheel.writestr("parsimony/big.bin", bytes(5 << 20))
    (release / "p-1.tar.gz").unlink()
    assert problems(release) == ["1 wheels and 0 source archives, expected one of each"]
    with tarfile.open(release / "p-1.tar.gz", "w:gz"):
        pass
    found = problems(release)
    assert "the wheel holds tests/conftest.py" in found
    assert "the source archive lacks pyproject.toml" in found


def test_the_files_that_a_wheel_must_have_are_in_the_tree():
    assert all((ROOT / "src" / name).is_file() for name in NEEDED)
    assert all((ROOT / name).is_file() for name in SOURCE)


def required(*groups):
    """Names of the packages that pyproject.toml asks for, as constraints.txt spells them."""
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for group in groups for line in extras[group])]
    return {re.match(r"[\w.-]+", line)[0] for line in lines}


def test_everything_that_development_installs_is_pinned():
    extras = tomllib.loads(text_of("pyproject.toml"))["project"]["optional-dependencies"]
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", text_of("constraints.txt"), re.M))
    everything = required(*(extra for extra in extras if extra != "bench"))
    assert everything - set(pins) == set()
    assert set(pins) - everything == {"myst-parser"}  # the part of myst-nb that reads our pages


#: what a bare import, and that of the command line, may load beside what Python has loaded; a
#: budget of modules, as that of seconds would measure the machine
BUDGET = {"parsimony": 10, "parsimony.cli": 280}


@pytest.mark.parametrize("module", list(BUDGET))
def test_an_import_stays_small(module):
    code = f"import sys; old = set(sys.modules); import {module}; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(done.stdout.split()) <= BUDGET[module], done.stdout
