"""Single files: read, deduplicated, split by seed, the split kept in the saved form."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from parsimony.errors import EmptySplit, FormatError
from parsimony.link.data import LinkData
from parsimony.link.loading import load

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    rows = {(int(h), int(r), int(t)) for h, r, t in rng.integers(0, 20, (300, 3))}
    rows = [(f"e{h}", f"r{r % 3}", f"e{t}") for h, r, t in sorted(rows)]
    return pl.DataFrame(rows, orient="row", schema=["subject", "predicate", "object"]).unique(
        maintain_order=True
    )


def write(frame, path):
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".csv":
        frame.write_csv(path)
    elif path.suffix == ".nt":
        path.write_text("".join(f"<{h}> <{r}> <{t}> .\n" for h, r, t in frame.rows()))
    else:
        frame.write_csv(path, separator="\t", include_header=False)
    return path


@pytest.mark.parametrize("suffix", [".tsv", ".txt", ".csv", ".parquet", ".nt"])
def test_every_format_gives_the_same_split(tmp_path, frame, suffix):
    data = load(write(frame, tmp_path / f"graph{suffix}"), seed=3)
    expected = load(write(frame, tmp_path / "other.tsv"), seed=3)
    assert data.content_hash == expected.content_hash
    assert data.name == "graph"
    n = len(frame)
    assert (len(data.valid), len(data.test)) == (round(n / 10), round(n / 10))
    assert len(data.train) + len(data.valid) + len(data.test) == n
    assert len(np.unique(data.train[:, [0, 2]])) == data.n_entities
    assert len(np.unique(data.train[:, 1])) == data.n_relations
    assert "seed 3" in data.notes[0]


def test_repeated_rows_would_leak(tmp_path, frame):
    doubled = load(write(pl.concat([frame, frame]), tmp_path / "graph.tsv"))
    assert doubled.content_hash == load(write(frame, tmp_path / "once.tsv")).content_hash
    assert f"{len(frame)} repeated rows dropped" in doubled.notes[1]
    train = set(map(tuple, doubled.train.tolist()))
    assert not train & set(map(tuple, doubled.test.tolist()))


def test_the_seed_decides_and_is_kept(tmp_path, frame):
    path = write(frame, tmp_path / "graph.tsv")
    data = load(path, seed=1)
    assert data.content_hash == load(path, seed=1).content_hash
    assert data.content_hash != load(path, seed=2).content_hash
    data.save(tmp_path / "run")
    assert LinkData.load(tmp_path / "run").content_hash == data.content_hash


def test_columns(tmp_path, frame):
    renamed = frame.rename({"subject": "von", "predicate": "wie", "object": "zu"})
    path = write(renamed.with_columns(pl.lit(1).alias("weight")), tmp_path / "graph.csv")
    with pytest.raises(FormatError, match=r"graph\.csv:1: 4 columns without a header"):
        load(path)
    data = load(path, columns=("von", "wie", "zu"))
    assert data.content_hash == load(write(frame, tmp_path / "plain.csv")).content_hash


def test_too_small(tmp_path):
    path = tmp_path / "graph.tsv"
    path.write_text("a\tr\tb\nb\tr\tc\n")
    with pytest.raises(EmptySplit, match=r"graph\.tsv: too few facts to hold any out"):
        load(path)


def test_a_header_of_known_words_is_no_fact(tmp_path, frame):
    path = tmp_path / "graph.tsv"
    frame.write_csv(path, separator="\t")
    assert load(path).content_hash == load(write(frame, tmp_path / "plain.tsv")).content_hash


def test_what_reads_like_a_header_is_told(tmp_path, frame):
    path = tmp_path / "graph.tsv"
    frame.rename({"subject": "gene", "predicate": "acts", "object": "disease"}).write_csv(
        path, separator="\t"
    )
    (warning,) = [note for note in load(path).notes if note.startswith("warning")]
    assert "'gene', 'acts', 'disease'" in warning
    assert "--columns gene,acts,disease" in warning
    mapped = load(path, columns=("gene", "acts", "disease"))
    assert not [note for note in mapped.notes if note.startswith("warning")]
    assert mapped.content_hash == load(write(frame, tmp_path / "plain.tsv")).content_hash
