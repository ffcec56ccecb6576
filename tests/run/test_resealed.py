"""A run whose checksums are right and whose content is wrong: a right answer, or CorruptRun.

Every file of one run of each family of methods is changed in its structure and the run is sealed
anew, so that only the form of the files, the hash of the data and the fit of the tensors can tell.
"""

from __future__ import annotations

import copy
import inspect
import io
import json
import math
import random
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tomli_w
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as tensor_bytes

import parsimony
from parsimony import methods
from parsimony.errors import CorruptRun, ParsimonyError, RunError, TrainingDiverged
from parsimony.report import run_info, run_page
from parsimony.run.checkpoints import Checkpoints
from parsimony.run.folder import RunFolder
from parsimony.run.seal import seal

FOLDER = Path(__file__).parents[1] / "fixtures" / "runs_0_1"
#: one of each family, by what it costs to ask
RUNS = ["rules", "complex", "redgnn", "neighbours", "walks", "tanimoto", "multitask", "means",
        "coldnas"]  # fmt: skip
OTHERS = {"rules": "redgnn", "complex": "transe", "redgnn": "complex", "neighbours": "walks",
          "walks": "emergnn", "tanimoto": "par", "multitask": "tanimoto", "means": "coldnas",
          "coldnas": "means"}  # fmt: skip
ODD = [None, True, -1, 2**40, 2**70, 1.5, "x", "", [], {}, [1, "a"], {"a": {"b": 1}}]
SLOW = {"episodes", "epochs"}  # a large number is right there, and takes long


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(
        value, list
    ) else ()  # fmt: skip
    for key, inner in items:
        yield from places(inner, (*path, key))


def changed_documents(value: Any, n: int, draw: random.Random) -> Iterator[tuple[str, Any]]:
    """Drop a key or put another value in its place."""
    spots = list(places(value))
    for _ in range(n):
        path = draw.choice(spots)
        new = copy.deepcopy(value)
        if not path:
            yield "whole", draw.choice(ODD)
            continue
        at = new
        for key in path[:-1]:
            at = at[key]
        choice = draw.choice([*ODD, deep(80), "drop"])
        if choice == "drop":
            del at[path[-1]]
        elif isinstance(choice, int) and SLOW & set(map(str, path)):
            continue
        else:
            at[path[-1]] = choice
        yield f"{path} {str(choice)[:20]}", new


def changed_arrays(array: Any) -> Iterator[tuple[str, Any]]:
    kind = array.dtype.kind
    yield "shorter", array[:-1] if array.ndim else array.reshape(1)
    yield "flat", array.reshape(-1)
    yield "axis", array[None]
    yield "nothing", array[:0] if array.ndim else np.zeros(0, array.dtype)
    yield "integers", array.astype(np.int64)
    yield "floats", array.astype(np.float64) + 0.5
    yield "negative", np.full(array.shape, -5, np.int64 if kind in "ub" else array.dtype)
    if kind == "f":
        yield "nan", np.full_like(array, np.nan)
        yield "inf", np.full_like(array, np.inf)
    elif kind in "iu":
        yield "huge", np.full_like(array, np.iinfo(array.dtype).max)


def array_bytes(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


#: of each file
CHANGES = 7


def changed_files(file: Path, draw: random.Random) -> Iterator[tuple[str, bytes]]:
    data = file.read_bytes()
    yield "empty", b""
    yield "cut", data[: len(data) // 2]
    yield "brackets", b"[" * 100_000
    yield "zeros", bytes(len(data))
    if file.suffix == ".json":
        for what, value in changed_documents(json.loads(data), 12, draw):
            yield what, json.dumps(value).encode()
    elif file.suffix == ".toml":
        for what, value in changed_documents(tomllib.loads(data.decode()), 20, draw):
            try:
                yield what, tomli_w.dumps(value).encode()
            except (TypeError, AttributeError, ValueError):
                continue  # TOML has no null
    elif file.suffix == ".npy":
        for what, array in changed_arrays(np.load(file)):
            yield what, array_bytes(array)
        odd = np.empty(1, object)
        odd[0] = {}
        yield "object", array_bytes(odd)
        yield "text", array_bytes(np.array(["a", "b"]))
    elif file.suffix == ".safetensors":
        tensors = load_tensors(data)
        for name in draw.sample(sorted(tensors), min(4, len(tensors))):
            yield f"{name} dropped", tensor_bytes({k: v for k, v in tensors.items() if k != name})
            for what, array in changed_arrays(tensors[name]):
                new = {**tensors, name: np.ascontiguousarray(array)}
                yield f"{name} {what}", tensor_bytes(new)
    elif file.suffix == ".jsonl":
        lines = data.splitlines()
        for what, value in changed_documents(json.loads(lines[0]), 10, draw):
            yield what, b"\n".join([json.dumps(value).encode(), *lines[1:], b""])
    elif file.suffix == ".txt":
        lines = data.splitlines()
        yield "dropped", b"\n".join([*lines[1:], b""])
        yield "twice", b"\n".join([lines[0], *lines, b""])


def ask(folder: Path) -> dict[str, Any]:
    """Load, evaluate, predict or adapt, say what was learned, draw the page."""
    model = parsimony.load_run(folder)
    found: dict[str, Any] = {"evaluate": model.evaluate("test")}
    data = model.task_.data
    if model.kind == "link":
        head, relation, tail = (int(x) for x in data.test[0])
        names = data.entities.name(head), data.relations.name(relation), data.entities.name(tail)
        found["predict"] = model.predict(head=names[0], relation=names[1], top=5)
        found["explain"] = model.explain(*names).to_dict()
    elif model.kind == "ddi":
        first, _, second = next(rows for rows in reversed(data.pairs.values()) if len(rows))[0]
        found["predict"] = model.predict(data.drugs.name(int(first)), data.drugs.name(int(second)))
    elif model.kind == "molecules":
        smiles = list(data.smiles)
        found["adapt"] = model.adapt(smiles[:2], [0, 1], smiles[2:4])
    else:
        found["adapt"] = model.adapt({data.items[0]: 3.0}, list(data.items[1:3]))
    # Rules read out of a network are sampled: a fact of each relation is enough.
    few = {"samples": 1} if "samples" in inspect.signature(model.knowledge).parameters else {}
    found["knowledge"] = [str(each) for each in model.knowledge(top=5, **few)]
    if model.kind != "molecules":
        run_page(run_info(folder, estimator=model))
    return found


def finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(finite, value))
    return not isinstance(value, float | np.floating) or math.isfinite(value)


@pytest.fixture
def baselines_once(monkeypatch):
    """Fit what a page of ratings compares with, which is no part of the run, once for each task."""
    fitted: dict[str, Any] = {}

    def once(method: str) -> Any:
        def fit(task: Any) -> Any:
            key = json.dumps([method, task.data.content_hash, task.config()], default=str)
            if key not in fitted:
                fitted[key] = methods.resolve(method)().fit(task)
            return fitted[key]

        return lambda: SimpleNamespace(fit=fit)

    monkeypatch.setattr("parsimony.report.ratings.resolve", once)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # odd parameters have odd consequences
@pytest.mark.parametrize("name", RUNS)
def test_a_resealed_run_answers_right_or_is_refused(name, tmp_path, baselines_once):
    if name in ("tanimoto", "multitask"):
        pytest.importorskip("rdkit")
    run, draw = tmp_path / "run", random.Random(name)
    shutil.copytree(FOLDER / name, run)
    assert finite(ask(run))
    refused = 0
    for file in sorted(p for p in run.rglob("*") if p.is_file() and p.name != "checksums.json"):
        good, inside = file.read_bytes(), file.relative_to(run)
        changes = list(changed_files(file, draw))
        swapped = FOLDER / OTHERS[name] / inside
        if swapped.exists():
            changes.append(("swapped", swapped.read_bytes()))
        # Some of each file here; benchmarks/fuzz.py goes on with others.
        for what, content in draw.sample(changes, min(len(changes), CHANGES)):
            file.write_bytes(content)
            seal(run)
            try:
                found = ask(run)
            except RunError as error:
                refused += 1
                assert error.where, (inside, what)
                assert error.where.startswith(str(run)), (inside, what, error)
            except TrainingDiverged:
                refused += 1  # weights that are finite, but give no finite answer
            except ParsimonyError as error:
                pytest.fail(f"{inside} {what}: {error!r} is no error of the run")
            except Exception as error:
                raise AssertionError(f"{inside} {what}: {error!r}") from error
            else:
                assert finite(found), (inside, what)
        file.write_bytes(good)
    assert refused > 25


# ---- what the sweep cannot see ---------------------------------------------------------------


def own(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER / name, tmp_path / "run"))


def test_not_a_number_among_the_weights_is_refused(tmp_path):
    run = own("complex", tmp_path)
    tensors = load_tensors((run / "model.safetensors").read_bytes())
    tensors["entity"][0, 0] = np.nan
    (run / "model.safetensors").write_bytes(tensor_bytes(tensors))
    seal(run)
    with pytest.raises(CorruptRun, match=r"model\.safetensors.*not finite"):
        parsimony.load_run(run)


def test_data_of_another_hash_are_refused(tmp_path):
    run = own("rules", tmp_path)
    train = np.load(run / "data" / "train.npy")
    train[:, [0, 2]] = train[:, [2, 0]]  # every fact turned round: all of the right form
    np.save(run / "data" / "train.npy", train)
    seal(run)
    with pytest.raises(CorruptRun, match=r"data.*hash"):
        parsimony.load_run(run)


def test_a_negative_relation_of_a_rule_is_not_counted_from_the_end(tmp_path):
    run = own("rules", tmp_path)
    tensors = load_tensors((run / "model.safetensors").read_bytes())
    tensors["head"][0] = -2
    (run / "model.safetensors").write_bytes(tensor_bytes(tensors))
    seal(run)
    with pytest.raises(CorruptRun, match="'head' holds -2"):
        parsimony.load_run(run)


def test_a_run_of_another_method_is_refused(tmp_path):
    with pytest.raises(ParsimonyError, match="of method 'rules'"):
        parsimony.RedGNN.load(FOLDER / "rules")


@pytest.mark.parametrize("damage", ["one number", "not a number", "missing", "optimiser"])
def test_a_checkpoint_that_does_not_fit_is_refused(damage, tmp_path):
    """Its own digest is right: the trainer must see it; torch would spread one number over all."""
    run = tmp_path / "run"
    settings: dict[str, Any] = {"out": run, "parameters": {"dim": 8}}
    parsimony.fit("royal", "complex", epochs=1, **settings)
    checkpoints = Checkpoints(run / "checkpoints")
    found = checkpoints.load()
    assert found is not None
    state, tensors = found
    name = next(n for n in tensors if n.startswith("model."))
    if damage == "one number":
        tensors[name] = np.ones(1, np.float32)
    elif damage == "not a number":
        tensors[name] = np.full_like(tensors[name], np.nan)
    elif damage == "missing":
        del tensors[name]
    else:
        name = next(n for n in tensors if n.startswith("optimizer.") and tensors[n].ndim)
        tensors[name] = tensors[name][:1]
    checkpoints.save(state, tensors)
    with pytest.raises(CorruptRun, match="checkpoints"):
        parsimony.fit("royal", "complex", epochs=2, resume=True, **settings)


def test_the_state_of_a_checkpoint_has_a_form(tmp_path):
    run = RunFolder(tmp_path, {})
    run.save_checkpoint({"epoch": "three"}, {"w": np.zeros(2)})
    with pytest.raises(CorruptRun, match=r"checkpoints.*epoch"):
        run.load_checkpoint()
    run.save_checkpoint({"epoch": 3, "history": [{"epoch": 1, "seconds": -1}]}, {"w": np.zeros(2)})
    with pytest.raises(CorruptRun, match=r"checkpoints.*seconds"):
        run.load_checkpoint()
