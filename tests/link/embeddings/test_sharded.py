"""Vectors cut over several processes: who holds what when, the same ranks, one file a shard."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import threading
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from tests.link.embeddings.test_ranking import DIM, SCORINGS, N, ranker, task

from parsimony.base import Fitting
from parsimony.errors import CorruptRun, InvalidParameter, TrainingDiverged, WorkerLost
from parsimony.link.embeddings.batches import GroupedQueries
from parsimony.link.embeddings.bilinear import ComplEx
from parsimony.link.embeddings.sharded import leader, side
from parsimony.link.embeddings.sharded.borrowing import Borrowed
from parsimony.link.embeddings.sharded.grid import (
    bounds,
    draw_parts,
    rounds_of_facts,
    schedule,
)
from parsimony.link.embeddings.sharded.ranking import ShardRanker
from parsimony.link.embeddings.tables import ThreadPool
from parsimony.methods import load_run
from parsimony.pipeline import fit
from parsimony.problems import open_task
from parsimony.run.checkpoints import Checkpoints
from parsimony.run.cost import Cost
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.table_shards import RowParts, Shard, map_shards, shard_files, write_shards

SETTINGS = {"dim": 8, "batch": 2000, "seed": 1, "threads": 1, "input_dropout": 0.0}


class ThreadCrew:
    """A crew of threads of one process: the sums and exchanges of gloo, without its start."""

    def __init__(self, rank, size, shared):
        self.rank, self.size, self.shared = rank, size, shared

    @classmethod
    def run(cls, size, work):
        """Call ``work(crew)`` in every thread; what each of them returned, or the first error."""
        shared = {"barrier": threading.Barrier(size, timeout=300), "slots": [None] * size}
        shared |= {(a, b): queue.Queue() for a in range(size) for b in range(size)}
        found, errors = [None] * size, []

        def one(rank):
            try:
                found[rank] = work(cls(rank, size, shared))
            except BaseException as error:
                errors.append(error)
                shared["barrier"].abort()

        threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        if errors:
            raise errors[0]
        return found

    def _all(self, mine):
        self.shared["slots"][self.rank] = mine
        self.shared["barrier"].wait()
        slots = list(self.shared["slots"])
        self.shared["barrier"].wait()
        return slots

    def agree(self, array, *, most=False):
        of = np.stack(self._all(array.copy()))
        array[...] = of.max(0) if most else of.sum(0)

    add_up = agree

    def tell(self, what, arrays=None, **plain):
        self._all(({"what": what, **plain}, dict(arrays or {})))

    def hear(self):
        told, arrays = self._all(None)[0]
        return dict(told), {name: array.copy() for name, array in arrays.items()}

    def send(self, array, to):
        self.shared[self.rank, to].put(np.array(array))

    def receive(self, array, of):
        array[...] = self.shared[of, self.rank].get(timeout=300)
        return array

    def swap(self, parts, rows):
        came = [theirs[self.rank].copy() for theirs in self._all(parts)]
        assert [len(x) for x in came] == list(rows)
        self._all(None)
        return came


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_in_every_round_a_process_has_two_parts_and_all_pairs_meet_once(size):
    holder = schedule(size)
    assert holder.shape == (2 * size - 1, 2 * size)
    met = []
    for row in holder:
        assert np.bincount(row).tolist() == [2] * size
        met += [pair for pair in combinations(range(2 * size), 2) if row[pair[0]] == row[pair[1]]]
    assert sorted(met) == list(combinations(range(2 * size), 2))


def test_every_fact_is_trained_once_where_both_ends_are_held():
    random, n, size = np.random.default_rng(0), 50, 3
    facts = np.stack([random.integers(0, high, 400) for high in (n, 4, n)], axis=1)
    part, holder = draw_parts(n, size, 7), schedule(size)
    order, ptr = rounds_of_facts(facts, part, holder, 7)
    assert sorted(order) == list(range(400))
    for i, (a, b) in enumerate(pairwise(ptr)):
        of_round, rank = holder[i // size], i % size
        assert (of_round[part[facts[order[a:b]][:, [0, 2]]]] == rank).all()
    assert len({tuple(draw_parts(n, size, seed)) for seed in range(3)}) == 3


def test_rows_are_borrowed_and_what_changed_comes_back():
    size, n = 3, 40
    table = np.random.default_rng(1).standard_normal((n, 4)).astype(np.float32)
    cuts, holder = bounds(n, size), schedule(size)[1][draw_parts(n, size, 3)]

    def work(crew):
        own = table[cuts[crew.rank] : cuts[crew.rank + 1]].copy()
        borrowed = Borrowed(crew, holder, cuts)
        rows = borrowed.fetch(own)
        np.testing.assert_array_equal(rows, table[holder == crew.rank])
        changed = borrowed.rows % 3 == 0
        borrowed.give_back(changed, [(own, rows + 1)])
        return own

    expected = table + (np.arange(n) % 3 == 0)[:, None].astype(np.float32)
    np.testing.assert_array_equal(np.concatenate(ThreadCrew.run(size, work)), expected)


@pytest.mark.parametrize("scoring", SCORINGS)
def test_counts_of_shards_add_up_to_those_of_one_process(scoring):
    entity = np.random.default_rng(2).integers(-2, 3, (N, DIM)).astype(np.float32)
    alone = ranker(scoring, entity, block=64)
    alone.relation.round_()
    queries, pool = task().queries("test"), ThreadPool(1)
    quiet, cuts = Progress(0, "", quiet=True), bounds(N, 3)
    expected = alone.rank(queries, quiet, pool)

    def work(crew, rows=entity):
        own = torch.from_numpy(rows[cuts[crew.rank] : cuts[crew.rank + 1]])
        of_shard = ShardRanker(
            crew, cuts, scoring, own, alone.relation, 3, reciprocal=False, block=64
        )
        found = of_shard.rank(queries, Progress(0, "", quiet=True), ThreadPool(1))
        return np.stack([found.greater, found.equal])

    counts = sum(ThreadCrew.run(3, work))
    np.testing.assert_array_equal(counts, [expected.greater, expected.equal])
    parts = RowParts([entity[a:b] for a, b in pairwise(cuts)])
    mapped = ranker(scoring, entity, block=64)
    mapped.entity, mapped.relation = parts, alone.relation
    again = mapped.rank(queries, quiet, pool)
    np.testing.assert_array_equal([again.greater, again.equal], counts)
    broken = entity.copy()
    broken[-1, 0] = np.nan  # of one shard: all of them end
    with pytest.raises(TrainingDiverged):
        ThreadCrew.run(3, lambda crew: work(crew, broken))


def test_a_part_of_the_entities_stands_for_all():
    facts = np.array([[0, 0, 1], [2, 0, 3]], np.int32)
    for negatives, drawn in ((0, None), (4, np.random.default_rng(0))):
        queries = GroupedQueries.of(facts, 20, 1, False, stands_for=60)
        batch = queries.batch(np.array([0]), negatives, drawn)
        assert np.exp(batch.bias).sum() == pytest.approx(60, rel=1e-5)
        assert (batch.bias == 0).sum() == 2


# ---- files ---------------------------------------------------------------------------------------


def test_rows_of_parts_are_those_of_the_whole(tmp_path):
    table = np.random.default_rng(0).standard_normal((10, 3)).astype(np.float32)
    cuts = [0, 4, 4, 10]
    write_shards(tmp_path, "t", [Shard.of({"x": table[a:b]}) for a, b in pairwise(cuts)])
    found = map_shards(shard_files(tmp_path, "t"))["x"]
    assert found.shape == table.shape and found.nbytes == table.nbytes
    assert all(isinstance(part.base, np.memmap) for part in found.parts if len(part))
    for index in (slice(None), slice(2, 6), slice(5, 9), slice(3, 3), 4, [9, 0, 4, 3, 4],
                  slice(8, 1, -3), -1, [-7, 2], table[:, 0] > 0):  # fmt: skip
        np.testing.assert_array_equal(found[index], table[index])
    np.testing.assert_array_equal(np.asarray(found), table)
    last = tmp_path / "t-00003-of-00003.safetensors"
    for other in ("t-00004-of-00003.safetensors", "t-x-of-y.safetensors"):
        last = last.rename(tmp_path / other)
        with pytest.raises(CorruptRun, match="3 files are not all shards"):
            map_shards(shard_files(tmp_path, "t"))
    last.unlink()
    with pytest.raises(CorruptRun, match="2 files are not all shards"):
        map_shards(shard_files(tmp_path, "t"))


def test_a_damaged_shard_spoils_its_checkpoint_alone(tmp_path):
    kept, table = Checkpoints(tmp_path), np.arange(6, dtype=np.float32).reshape(3, 2)
    for number in range(3):
        halves = [Shard.of({"model.entity": table[a:b] + number}) for a, b in ((0, 2), (2, 3))]
        last = kept.save({"epoch": number}, {"model.relation": table}, halves)
    assert len(list(tmp_path.iterdir())) == 2 * 3  # of the last two
    state, tensors = kept.load()
    assert state == {"epoch": 2}
    np.testing.assert_array_equal(tensors["model.entity"], table + 2)
    shard = shard_files(tmp_path, last.stem)[1]
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    assert kept.load(drop_damaged=True)[0] == {"epoch": 1}
    assert len(list(tmp_path.iterdir())) == 3


# ---- training, in threads ------------------------------------------------------------------------


def train(size, run=None, epochs=2, **settings):
    """What ``fit`` does between the start of the others and their end."""
    model = ComplEx(**SETTINGS | settings)

    def work(crew):
        if crew.rank:
            return side.work(crew, ComplEx)
        model.cost_ = Cost(0, 0, {})
        model.history_, model.best_epoch_ = [], 0
        model.prepare(open_task("link", "royal"), epochs=epochs)
        try:
            return leader.fit_shared(model, crew, Fitting(run))
        finally:
            crew.tell("end")

    return model, ThreadCrew.run(size, work)[0]


def test_it_learns_as_one_process_does_and_goes_on_with_another_number(tmp_path):
    config = ComplEx(**SETTINGS).prepare(open_task("link", "royal"), epochs=3)
    with RunFolder.create(tmp_path / "run", config) as run:
        first, tables = train(3, run, ema_decay=0.5)
        assert [record["epoch"] for record in first.history_] == [1, 2]
        assert len(tables["entity"].parts) == 3 and np.isfinite(np.asarray(tables["entity"])).all()
        second, tables = train(2, run, epochs=3, ema_decay=0.5)
        assert [record["epoch"] for record in second.history_] == [1, 2, 3]
        assert second.history_[:2] == first.history_ and len(tables["entity"].parts) == 2
        _, kept = run.load_checkpoint()
        best = kept["best.entity"][:]
        np.testing.assert_array_equal(best, np.asarray(tables["entity"]))
    alone = ComplEx(**SETTINGS | {"ema_decay": 0.5}).fit(open_task("link", "royal"), epochs=3)
    reached, wanted = (max(r["valid_mrr"] for r in m.history_) for m in (second, alone))
    assert reached > wanted - 0.1
    _, again = train(3, ema_decay=0.5)
    np.testing.assert_allclose(again["entity"].shape, alone.entity_.shape)


# ---- processes -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    run = tmp_path_factory.mktemp("three") / "run"
    return run, *fit("royal", "complex", out=run, parameters=SETTINGS, epochs=2, workers=3)


def test_a_file_a_shard_is_mapped_and_answers_as_one_table(three, tmp_path):
    run, model, summary = three
    assert [path.name for path in shard_files(run, "model")] == [
        f"model-0000{k}-of-00003.safetensors" for k in (1, 2, 3)
    ]
    # The ranks that the shards found in training are those of the finished run.
    best = max(record["valid_mrr"] for record in model.history_)
    assert summary["valid"]["mrr"] == pytest.approx(best, abs=1e-6)
    assert best > model.history_[0]["valid_mrr"] or len(model.history_) == 1
    assert any("3 processes had a part of the vectors" in note for note in summary["notes"])
    again = load_run(run)
    assert isinstance(again.entity_, RowParts)
    whole = ComplEx.load(run)
    whole.entity_ = np.asarray(whole.entity_)
    queries = again.task_.queries("test")
    scores = [m._score(queries.head, queries.relation) for m in (again, whole)]
    np.testing.assert_array_equal(*scores)
    whole.save(tmp_path / "one")  # in one file
    again.save(tmp_path / "shards")
    assert not shard_files(tmp_path / "one", "model")
    assert load_run(tmp_path / "shards").entity_.files != again.entity_.files
    for folder in ("one", "shards"):
        found = np.asarray(load_run(tmp_path / folder).entity_)
        np.testing.assert_array_equal(found, whole.entity_)


@pytest.mark.slow
def test_a_lost_worker_is_told_and_the_run_goes_on_with_others(three, tmp_path, monkeypatch):
    run = tmp_path / "run"
    shutil.copytree(three[0], run)
    looks, crews, validate = [], [], leader.SharedLearner.validate

    def killed(self):
        crews.append(self.leader.crew)
        looks.append(self.leader.side.crew.size)
        os.kill(crews[0].started[0].pid, signal.SIGKILL)
        return validate(self)

    options = {"out": run, "parameters": SETTINGS, "epochs": 3, "resume": True}
    with monkeypatch.context() as patched:
        patched.setattr(leader.SharedLearner, "validate", killed)
        with pytest.raises(WorkerLost, match=r"worker 1 ended \(SIGKILL\)"):
            fit("royal", "complex", workers=2, **options)
    assert looks == [2]
    model, summary = fit("royal", "complex", **options)
    assert summary["epochs"] == 3 and [r["epoch"] for r in model.history_] == [1, 2, 3]
    assert not shard_files(run, "model") and isinstance(load_run(run).entity_, np.ndarray)


def test_too_few_entities_are_refused(tmp_path):
    facts = [f"{h}\t{r}\t{t}\n" for r in "rst" for h in "abc" for t in "abc" if h != t]
    (tmp_path / "few.tsv").write_text("".join(facts))
    with pytest.raises(InvalidParameter, match="each needs two at least"):
        fit(str(tmp_path / "few.tsv"), "distmult", parameters={"dim": 4}, workers=2)
