"""An explanation as plain text."""

from __future__ import annotations

from parsimony.answers import as_notes
from parsimony.explain.parts import ExplanationData, Known, Path
from parsimony.pages.numbers import number

__all__ = [
    "answer_sentence",
    "explanation_text",
    "faithfulness_sentence",
    "known_sentence",
    "path_text",
]


def answer_sentence(explanation: ExplanationData) -> str:
    """Return score, probability and rank of the answer, and whether the data contain it."""
    parts = [f"score {number(explanation.score)}"]
    if explanation.probability is not None:
        parts.append(f"probability {number(explanation.probability)}")
    if explanation.rank is not None:
        parts.append(f"rank {explanation.rank:g}")
    if explanation.model:
        parts.append(f"by {explanation.model}")
    if explanation.known is not None:
        parts.append(known_sentence(explanation.known, explanation.walks))
    return ", ".join(parts)


def known_sentence(known: Known, walks: bool = True) -> str:
    """Say which split states the answer; path models are queried with that fact hidden."""
    if known == "no":
        return "not among the known facts"
    return f"a fact of the {known} split" + ", hidden for this query" * (known == "train" and walks)


def path_text(explanation: ExplanationData, path: Path) -> str:
    """Format a path as ``A —brother→ B ←father— C``: arrows have the direction of the facts."""
    if not path.steps:
        return explanation.label(explanation.query[0])
    words = [explanation.label(path.steps[0].source)]
    for step in path.steps:
        relation = explanation.label(step.relation)
        words.append(f"—{relation}→" if step.direction == "forward" else f"←{relation}—")
        words.append(explanation.label(step.target))
    return " ".join(words)


def faithfulness_sentence(explanation: ExplanationData) -> str:
    """Return a sentence on the effect of deleting the named evidence; "" if not measured."""
    measured = explanation.faithfulness
    if measured is None:
        return ""
    count = f" ({measured.n_deleted:,} edge{'s' * (measured.n_deleted != 1)})"
    facts = "the named evidence" + count * (measured.n_deleted > 0)
    as_many = "as many random edges"
    draws = f" (mean of {measured.draws} draws)" if measured.draws else ""
    if measured.deleted_drop <= 0:
        return (
            f"Deleting {facts} does not lower the score (change "
            f"{number(-measured.deleted_drop)}): these paths do not explain it."
        )
    named = f"Deleting {facts} lowers the score by {number(measured.deleted_drop)}"
    size = len({(edge.head, edge.relation, edge.tail) for edge in explanation.subgraph})
    if size and 2 * measured.n_deleted > size:
        return (
            f"{named}. All evidence is {size:,} edge{'s' * (size != 1)}: too few for a comparison "
            "with random ones."
        )
    if measured.ratio is None:
        return f"{named}; deleting {as_many} of the same evidence does not lower it{draws}."
    return (
        f"{named}, {number(measured.ratio)} times as much as deleting {as_many} of the same "
        f"evidence, which lowers it by {number(measured.random_drop)}{draws}."
    )


def explanation_text(explanation: ExplanationData) -> str:
    """Render the answer, the paths, the rules and the faithfulness.

    Returns
    -------
    str
        Lines that end in a newline.
    """
    head, relation, tail = map(explanation.label, explanation.query)
    title = explanation.claim or f"{head} —{relation}→ {tail}"
    lines = [title, answer_sentence(explanation)]
    if explanation.walks:
        lines += ["", "Paths (weight, path; ←r— traverses the fact r backwards)"]
        if explanation.paths and explanation.path_order:
            lines.append(f"  {explanation.path_order}")
        lines += [
            f"  {number(path.weight):>8}  {path_text(explanation, path)}"
            for path in explanation.paths
        ] or ["  none: no path in the graph connects the two within the model's depth"]
    if explanation.rules:
        lines += ["", "Rules (confidence, support, clause)"]
        lines += [f"  {rule}" for rule in explanation.rules]
    if explanation.parts:
        lines += ["", "What the score is made of"]
        lines += [f"  {explanation.parts_note}"] * bool(explanation.parts_note)
        lines += [f"  {number(value):>8}  {name}" for name, value in explanation.parts.items()]
    if explanation.analogues:
        lines += ["", "Most similar known facts (similarity)"]
        lines += [f"  {known.similarity:>8.2f}  {known.text}" for known in explanation.analogues]
    sentence = faithfulness_sentence(explanation)
    if sentence:
        lines += ["", sentence]
    if explanation.notes:
        lines += ["", *as_notes(explanation.notes)]
    return "".join(f"{line}\n" for line in lines)
