"""A folder that somebody else prepared: nothing outside it is written, emptied or removed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import parsimony
from parsimony.cli.batch import run_batch
from parsimony.errors import CannotWrite, ParsimonyError, RunExists
from parsimony.report import run_info, run_report
from parsimony.run.atomic import append_line, replaced_folder, write_atomic
from parsimony.run.folder import RunFolder
from parsimony.search.trials import TrialStore

RULES = Path(__file__).parents[1] / "fixtures" / "runs_0_1" / "rules"
SETTINGS = {"method": "none"}


@pytest.fixture
def outside(tmp_path):
    """What must not change: a file, and a folder with a file."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious.txt").write_text("precious data\n")
    (folder / "000001.safetensors").write_bytes(b"another's checkpoint")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    yield folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", [".lock", ".config.toml.00000000.tmp"])
def test_a_prepared_folder_is_refused_or_its_link_removed(name, resume, outside, tmp_path):
    run = tmp_path / "lk"
    run.mkdir()
    (run / name).symlink_to(outside / "precious.txt")
    with pytest.raises((RunExists, CannotWrite), match="a link"):
        RunFolder.create(run, SETTINGS, resume=resume)


@pytest.mark.parametrize(
    "name", ["log.jsonl", "model.safetensors", "metrics.json", "report.html", "checkpoints", "data",
             "checkpoints/000001.safetensors", "data/train.npy", ".lock"],
)  # fmt: skip
def test_a_received_run_with_a_link_is_not_resumed(name, outside, tmp_path):
    run = tmp_path / "run"
    with RunFolder.create(run, SETTINGS) as made:
        made.save_checkpoint({}, {})
        (run / "data").mkdir()
    path = run / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(outside if path.name in ("checkpoints", "data") else outside / "precious.txt")
    with pytest.raises((RunExists, CannotWrite), match=r"a link") as caught:
        RunFolder.create(run, SETTINGS, resume=True)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_the_log_is_not_appended_to_another_file(link, outside, tmp_path):
    link(outside / "precious.txt", tmp_path / "log.jsonl")
    with pytest.raises(CannotWrite, match="a link"):
        append_line(tmp_path / "log.jsonl", b"{}\n")
    with pytest.raises(CannotWrite, match="a link"):
        RunFolder(tmp_path, {}).log(epoch=1)


def test_what_is_no_file_is_not_appended_to(tmp_path):
    os.mkfifo(tmp_path / "log.jsonl")
    with pytest.raises(CannotWrite):
        append_line(tmp_path / "log.jsonl", b"{}\n")


def test_a_link_where_a_file_is_written_is_replaced(outside, tmp_path):
    (tmp_path / "report.html").symlink_to(outside / "precious.txt")
    write_atomic(tmp_path / "report.html", "ours")
    assert not (tmp_path / "report.html").is_symlink()
    (tmp_path / "data").symlink_to(outside)
    with replaced_folder(tmp_path / "data") as folder:
        (folder / "precious.txt").write_text("ours")
    assert (tmp_path / "data" / "precious.txt").read_text() == "ours"


def test_a_report_of_a_received_run_stays_inside(outside, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(RULES, run)
    (run / "report.html").symlink_to(outside / "precious.txt")
    info = run_info(run, n_explanations=0)
    assert run_report(info, run / "report.html").stat().st_size > 10_000


def test_a_prepared_search_is_refused(outside, tmp_path):
    (tmp_path / "trials.jsonl").symlink_to(outside / "precious.txt")
    with pytest.raises(ParsimonyError):
        TrialStore(tmp_path, {}, resume=True)


def test_prepared_shards_of_a_batch_are_refused(outside, tmp_path):
    model = parsimony.load_run(RULES)
    queries = tmp_path / "q.csv"
    fact = model.task_.data.test[0]
    head = model.task_.data.entities.name(int(fact[0]))
    relation = model.task_.data.relations.name(int(fact[1]))
    queries.write_text(f"head,relation,tail\n{head},{relation},?\n")
    out = tmp_path / "out.parquet"
    (tmp_path / "out.parquet.parts").mkdir()
    (tmp_path / "out.parquet.parts" / "whole.tmp").symlink_to(outside / "precious.txt")
    with pytest.raises(CannotWrite, match="a link"):
        run_batch(model, RULES, queries, out)
    shutil.rmtree(tmp_path / "out.parquet.parts")
    assert run_batch(model, RULES, queries, out)["queries"] == 1
