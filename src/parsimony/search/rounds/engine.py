"""The loop: mine rules, fit a model with them as prior, distil it, check, keep, and again.

Validation facts are cut in two at random. One half *decides*: when training ends, what rules are
worth, how large a distilled book is, and which entries hold. The other half *measures* what a round
brought; the loop ends where that is nothing with 95 %. Test is read once, by the best round.

The run folder holds the best round's files, ``loop.json``, ``loop.html``, ``distilled.txt``, and in
``search/`` every finished step and the run folder of every round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from parsimony.answers import Measures
from parsimony.base import Estimator
from parsimony.decoding import read_json
from parsimony.errors import UsageError
from parsimony.knowledge import Rule, format_rules
from parsimony.knowledge.book import KnowledgeBook
from parsimony.knowledge.book_check import merge_books, of_vocabulary
from parsimony.knowledge.held_out import check_held_out
from parsimony.link.distillation import distil
from parsimony.link.distillation.student import mined_candidates
from parsimony.link.guidance.entries import inferences_of
from parsimony.link.guidance.guided import Guided
from parsimony.link.task import LinkTask
from parsimony.methods import load_run
from parsimony.pipeline import complete, keep
from parsimony.run.atomic import write_atomic
from parsimony.run.deadline import Deadline
from parsimony.run.duration import spell_duration
from parsimony.run.folder import RunFolder
from parsimony.run.progress import say
from parsimony.search.rounds import measuring
from parsimony.search.rounds.learned import Kept, distilled_book, mined_book, told
from parsimony.search.rounds.request import (
    DISTILLING,
    ENDING,
    MINING,
    TRAINING,
    WEIGHING,
    LoopPlan,
    LoopRequest,
    plan_of,
)
from parsimony.search.rounds.store import StepStore
from parsimony.search.rounds.words import ended_words, sentence
from parsimony.search.simplest import Contender, choose, difference
from parsimony.search.winner import publish, require_room

__all__ = ["loop"]

#: the rest of a round has to have so much of what the last one took, else it is not begun
_WORTH = 0.5
#: of the time to mine; the rest is for axioms
_RULES = 0.8


def loop(
    request: LoopRequest, *, on_plan: Callable[[LoopPlan], None] | None = None
) -> tuple[Estimator[Any, Any], dict[str, Any]]:
    """Go round until a round brings nothing, nothing is new, or the rounds or the time are over.

    Returns
    -------
    estimator, summary
        The best round's model, and what loop.json holds.

    Raises
    ------
    InvalidParameter
        A method that is made of rules, or fewer than one round.
    EmptySplit
        Fewer than two validation facts.
    UnknownRelation
        A book of another vocabulary.
    RunExists, LedgerMismatch
        The folder belongs to something else.
    """
    return _Loop(request, on_plan).run()


class _Loop:
    def __init__(self, request: LoopRequest, on_plan: Callable[[LoopPlan], None] | None) -> None:
        self.request, self.folder = request, Path(request.out)
        require_room(self.folder, request.resume)
        whole = Deadline(request.seconds, began=request.began)
        self.task = LinkTask.open(
            request.data, request.settings, mirror=request.mirror, columns=request.columns,
            seed=request.seed,
        )  # fmt: skip
        self.known = request.knowledge or KnowledgeBook()
        of_vocabulary(self.known, self.task.train_graph)
        self.decides, other = self.task.halves(request.seed)
        self.facts = self.decides.facts_of("valid")
        asked = other.queries("valid")
        self.asked = replace(asked, graph=self.decides.train_graph)  # one graph, not two
        self.halves = {"decide": len(self.facts), "measure": other.n_facts("valid")}
        begun = self.folder / "search" / "trials.jsonl"
        if not (request.resume and begun.exists() and self._known_plan()):
            self.plan = plan_of(request, self.task)
            if on_plan is not None:
                on_plan(self.plan)
            self.member = self.plan.member
        self.deadline = whole
        self.notes: list[str] = []

    def _known_plan(self) -> bool:
        """Go on with the method that a loop was begun with."""
        path = self.folder / "search" / "plan.json"
        if not path.exists():
            return False
        method = str(read_json(path)["method"])
        self.member = self.request.member(self.request.method or method)
        return True

    # ---- round after round -------------------------------------------------------------------

    def run(self) -> tuple[Estimator[Any, Any], dict[str, Any]]:
        request = self.request
        with StepStore(
            self.folder, self._subject(), resume=request.resume, seed=request.seed,
            deadline=self.deadline,
        ) as self.store:  # fmt: skip
            self.deadline = self.store.deadline
            self.store.write("plan", {"method": self.member["method"]})
            pool, book = self._mined()
            rounds: list[dict[str, Any]] = []
            contenders: list[Contender] = []
            model: Guided | None = None
            ended = "rounds"
            for number in range(1, request.rounds + 1):
                if rounds and self._too_late(rounds[-1]):
                    ended = "time budget"
                    break
                model, book, row = self._round(number, model, book, pool)
                rounds.append(row)
                draws = np.array(row["draws"])
                best = max(contenders, key=lambda c: c.valid, default=None)
                if best is not None:
                    gap = difference(draws, best.draws)
                    row["gain"] = dict(zip(("by", "low", "high"), gap, strict=True))
                contenders.append(
                    Contender(f"round {number}", draws, row["description_bytes"], row["seconds"])
                )
                if best is not None and row["gain"]["low"] <= 0:
                    ended = "nothing gained"
                    break
                if not row["changed"]:
                    ended = "nothing new"
                    break
            return self._finish(rounds, contenders, ended)

    def _subject(self) -> dict[str, Any]:
        data = self.task.data
        return {
            "space": "loop", "data": data.content_hash, "name": data.name,
            "options": self.task.config(), "seed": self.request.seed, "member": self.member,
            "book": self.request.of_book, "knowledge": [str(e.item) for e in self.known.entries],
        }  # fmt: skip

    def _left(self) -> float:
        """Seconds until the end has to begin: what ranking has taken says how long that is."""
        end, took = ENDING * self.request.seconds, self.store.seconds("round 1: measure")
        if took is not None:  # of the model with and without the book, and of the rules
            asked = self.task.n_facts("valid") + self.task.n_facts("test")
            each = took / 2 / self.store.read("round-1-measure")["answers"]
            end = min(end, 2.0 + 1.3 * each * 2 * asked)
        return max(self.deadline.left() - end, 0.0)

    def _part(self, share: float) -> Deadline:
        return Deadline(share * self._left())

    def _too_late(self, last: dict[str, Any]) -> bool:
        steps = sum(last["steps"].values()) - last["steps"]["fit"] * last["trained"]
        return bool(self._left() < max(_WORTH * steps, 1.0))

    def _say(self, text: str) -> None:
        left = spell_duration(self.deadline.left())
        say(f"{text} ({left} left)", quiet=self.request.quiet)

    def _mined(self) -> tuple[list[Rule], KnowledgeBook]:
        """The candidates of all rounds, and the book of the first one."""
        if self.store.wants("mine", "mined.toml", "round-0.toml", "mined.json"):
            self._say("mining rules and axioms")
            notes = list[str]()
            until = Deadline(min(MINING * self.request.seconds, self._left()))
            pool = mined_candidates(self.decides, until.part(_RULES), notes)
            graph, data = self.decides.train_graph, self.task.data.content_hash
            self.store.keep_book("mined", KnowledgeBook.of_rules(pool))
            first = mined_book(
                pool, graph, self.known, data, stop=until.passed, notes=notes
            )  # fmt: skip
            self.store.keep_book("round-0", first)
            self.store.write("mined", {"notes": notes})
            self.store.done("mine")
        self.notes += self.store.read("mined")["notes"]
        return self.store.book("mined").rules, self.store.book("round-0")

    def _round(
        self, number: int, before: Guided | None, book: KnowledgeBook, pool: list[Rule]
    ) -> tuple[Guided, KnowledgeBook, dict[str, Any]]:
        """Fit, measure, distil, check and keep; what was done before is read."""
        name = f"round-{number}"
        steps = [f"round {number}: {what}" for what in ("fit", "measure", "distil", "check")]
        fit, measure, distilling, check = steps
        if self.store.wants(fit, f"{name}-fit.json"):
            self.store.write(f"{name}-fit", self._fit(number, before, book))
            self.store.done(fit)
        model = self._opened(number)
        if self.store.wants(measure, f"{name}-measure.json"):
            self._say(f"round {number}: measuring")
            found = self._measure(model, book)
            self.store.write(f"{name}-measure", found)
            self.store.done(measure, found["mrr"])
        if self.store.wants(distilling, f"{name}-distil.json", f"{name}-distilled.toml"):
            self._say(f"round {number}: distilling the model to rules")
            self.store.write(f"{name}-distil", self._distil(number, model, book, pool))
            self.store.done(distilling)
        if self.store.wants(check, f"{name}-check.json", f"{name}.toml"):
            self._say(f"round {number}: checking every entry on held-out facts")
            self.store.write(f"{name}-check", self._check(number, book))
            self.store.done(check)
        row: dict[str, Any] = {"round": number, "entries": len(book.entries)}
        row |= {"rules": len(book.rules), "axioms": len(book.axioms)}
        for what in ("fit", "measure", "distil", "check"):
            row |= self.store.read(f"{name}-{what}")
        row["steps"] = {
            what: self.store.seconds(step)
            for what, step in zip(("fit", "measure", "distil", "check"), steps, strict=True)
        }
        row["seconds"] = sum(row["steps"].values())
        return model, self.store.book(name), row

    def _fit(self, number: int, before: Guided | None, book: KnowledgeBook) -> dict[str, Any]:
        """Put the book around the model; trained anew only where other facts follow from it."""
        request, begin = self.request, self.store.spent
        folder = self.folder / "search" / "runs" / f"round-{number}"
        trained = before is None or self._inferred(before, book) != self._inferred(before)
        method = self.member["method"]
        if trained:
            self._say(f"round {number}: training {method} with {len(book.entries):,} entries")
            most = Deadline(min(TRAINING * request.seconds, TRAINING * self._left() / (1 - MINING)))
            guided = Guided(member=self.member, **request.of_book)
            with RunFolder.create(folder, guided.prepare(self.decides), resume=True) as run:
                guided.fit(
                    self.decides, run=run, knowledge=book, time_budget=most,
                    device=request.device, quiet=request.quiet,
                )  # fmt: skip
                keep(guided, run)
        else:
            assert before is not None
            self._say(f"round {number}: what {len(book.entries):,} entries are worth")
            options = {k: v for k, v in request.of_book.items() if k in ("knowledge_as", "sure")}
            before.member_.task_ = self.decides
            guided = Guided.around(before.member_, book, deadline=self._part(WEIGHING), **options)
            guided.seconds_ = self.store.spent - begin
            with RunFolder.create(folder, guided.config(), resume=True) as run:
                keep(guided, run)
        return {
            "trained": trained, "epochs": len(guided.history_) if trained else 0,
            "best_epoch": guided.best_epoch_, "ended": guided.ended_,
            "uses": list(guided.uses_), "parameters": guided.parameters_count_,
            "description_bytes": guided.description_bytes(),
            "notes": [*guided.notes_, *getattr(guided, "training_notes_", ())],
        }  # fmt: skip

    def _inferred(self, model: Guided, book: KnowledgeBook | None = None) -> set[Any]:
        """The inferences of a book that complete the graph which a model walks."""
        uses = self.request.of_book.get("knowledge_as")
        if uses is not None and "facts" not in uses:
            return set()
        relations = self.task.data.relations
        names = [relations.name(i) for i in range(self.task.n_relations)]
        of = model.book_ if book is None else book
        return {*inferences_of(of, names, model.resolved_.sure)}

    def _opened(self, number: int) -> Guided:
        """A round's model, which knows of the deciding half alone."""
        model: Any = load_run(self.folder / "search" / "runs" / f"round-{number}")
        model.task_ = self.decides
        return cast(Guided, model)

    def _measure(self, model: Guided, book: KnowledgeBook) -> dict[str, Any]:
        """MRR with the book, of the model alone, and of the rules alone, on the measuring half."""
        seed, quiet = self.request.seed, self.request.quiet
        path = self.store.folder / "measured.json"
        if not path.exists():
            n = measuring.fitting(model, self.asked, self._part(0.1), seed=seed, quiet=quiet)
            self.store.write("measured", {"queries": n})
        asked = measuring.sampled(self.asked, self.store.read("measured")["queries"], seed=seed)
        draws = measuring.of_model(model, asked, seed=seed, quiet=quiet)
        whole = replace(asked, graph=model._applied.whole(asked.graph))
        alone = measuring.of_model(model.member_, whole, seed=seed, quiet=quiet)
        rules: tuple[float | None, int] = None, 0
        if book.rules:
            rules = measuring.of_rules(book.rules, asked, self._part(0.1), seed=seed)
        return {
            "mrr": float(draws[0]), "interval": _interval(draws), "draws": draws.tolist(),
            "alone": float(alone[0]), "alone_interval": _interval(alone),
            "with_book": dict(zip(("by", "low", "high"), difference(draws, alone), strict=True)),
            "rules_alone": rules[0], "rules_alone_on": rules[1], "answers": len(asked.answer),
        }  # fmt: skip

    def _distil(
        self, number: int, model: Guided, book: KnowledgeBook, pool: list[Rule]
    ) -> dict[str, Any]:
        """Turn the model into rules; where none lead to its answers there are none."""
        name, data = f"round-{number}-distilled", self.task.data.content_hash
        share = DISTILLING if number == self.request.rounds else 0.6 * DISTILLING
        # Checking counts rules as mining does, and takes a part of that time.
        checking = min(self.store.seconds("mine") or 0.0, 0.1 * self.request.seconds)
        until = Deadline(share * max(self._left() - checking, 0.0))
        if self._left() <= 0:
            self.store.keep_book(name, KnowledgeBook())
            return {"distilled": None, "distil_notes": ["the time was over: nothing was distilled"]}
        try:
            found = distil(
                model, candidates=[*book.rules, *pool], mine=False, deadline=until,
                seed=self.request.seed, quiet=self.request.quiet,
            )  # fmt: skip
        except UsageError as error:
            self.store.keep_book(name, KnowledgeBook())
            return {"distilled": None, "distil_notes": [error.message]}
        method = self.member["method"]
        self.store.keep_book(name, distilled_book(found.rules, method, number, data, counted=False))
        return {"distilled": found.as_dict(), "distil_notes": list(found.notes)}

    def _check(self, number: int, book: KnowledgeBook) -> dict[str, Any]:
        """Keep what holds of the book and of the rules that the model was distilled to."""
        method, data = self.member["method"], self.task.data.content_hash
        rules = self.store.book(f"round-{number}-distilled").rules
        more = distilled_book(rules, method, number, data, counted=True)
        both = merge_books([book, more])
        graph = self.decides.train_graph
        notes, until = list[str](), Deadline(self._left())
        checks = check_held_out(both, graph, self.facts, stop=until.passed, notes=notes)
        kept = Kept(checks, book)
        self.store.keep_book(f"round-{number}", kept.book)
        first = number == 1
        return {
            "check_notes": notes, "verdicts": kept.verdicts, "kept": len(kept.book.entries),
            "kept_rules": len(kept.book.rules), "n_new": len(kept.new),
            "n_dropped": len(kept.dropped), "changed": kept.changed, "new": told(kept.new),
            "dropped": told(kept.dropped), "defended": told(kept.defended),
            "mined": told(c for c in kept.all_kept if c not in kept.new) if first else [],
        }  # fmt: skip

    # ---- the end -----------------------------------------------------------------------------

    def _finish(
        self, rounds: list[dict[str, Any]], contenders: list[Contender], ended: str
    ) -> tuple[Estimator[Any, Any], dict[str, Any]]:
        """Measure the best round on test, write what was learned, and publish it as the run."""
        chosen, verdicts = choose(contenders)
        best = int(chosen.name.removeprefix("round "))
        folder = self.folder / "search" / "runs" / f"round-{best}"
        self._say(f"round {best} is chosen: reading test once")
        _, measured = complete(folder, deadline=self.deadline, quiet=self.request.quiet)
        distilled = self.store.book(f"round-{best}-distilled")
        with RunFolder.create(folder, RunFolder.open(folder).config, resume=True) as run:
            run.write_toml("knowledge.toml", self.store.book(f"round-{best}").as_table())
        metrics: dict[str, Measures] = RunFolder.open(folder).read_json("metrics.json")
        for row in rounds:
            row.pop("draws")
            row["verdict"] = verdicts[f"round {row['round']}"].why
        test = dict(metrics.get("test", {}))
        summary: dict[str, Any] = {
            "run": str(self.folder), "data": self.task.data.name,
            "hash": self.task.data.content_hash, "method": self.member["method"],
            "member": self.member, "rounds": rounds, "best": best, "ended": ended,
            "halves": self.halves, "answers": rounds[0]["answers"],
            "test": test.get("metrics", {}), "test_interval": test.get("interval"),
            "description_bytes": chosen.size, "seed": self.request.seed,
            "budget": self.request.seconds, "seconds": self.store.spent,
        }  # fmt: skip
        summary["sentence"] = sentence(summary)
        summary["ended_words"] = ended_words(summary)
        summary["notes"] = [*dict.fromkeys([*self._own_notes(rounds), *measured["notes"]])]
        publish(self.folder, folder, summary, told="loop.json")
        if distilled.rules:
            header = f"# distilled from round {best} of {self.folder}; combine by noisy-or\n"
            text = header + format_rules(distilled.rules)
            write_atomic(self.folder / "distilled.txt", text)
        return load_run(self.folder), summary

    def _own_notes(self, rounds: list[dict[str, Any]]) -> list[str]:
        halves, whole = self.halves, len(self.asked.answer)
        notes = [
            f"of {sum(halves.values()):,} validation facts {halves['decide']:,} decide (when "
            "training ends, what rules are worth, which entries hold) and "
            f"{halves['measure']:,} measure the rounds, drawn with seed {self.request.seed}",
            "the measures on valid in metrics.json are of all validation facts, also those that "
            "decided",
            *self.notes,
        ]
        if rounds[0]["answers"] < whole:
            notes.append(
                f"rounds are compared on {rounds[0]['answers']:,} of {whole:,} answers of the "
                "measuring half"
            )
        if any("facts" in row["uses"] for row in rounds):
            notes.append(
                "the model alone walks the facts that the book infers, too: it was trained on them"
            )
        for row in rounds:
            told_here = [*row["distil_notes"], *row["check_notes"]]
            notes += [f"round {row['round']}: {note}" for note in told_here]
            notes += [
                f"warning: stated, but broken on held-out facts: {each['text']}"
                for each in row["defended"]
            ]
        return notes


def _interval(draws: Any) -> list[float]:
    low, high = np.quantile(draws[1:], [0.025, 0.975])
    return [float(low), float(high)]
