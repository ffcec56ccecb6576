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
    "question_sentence",
]


#: where the model does not say why there is no path
NO_PATH = "no path in the graph connects the two within the model's depth"


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


def question_sentence(explanation: ExplanationData) -> str:
    """Say which question the numbers belong to; "" where a pair was asked about, not one side."""
    if explanation.side is None:
        return ""
    head, relation, tail = map(explanation.label, explanation.query)
    query = f"(?, {relation}, {tail})" if explanation.side == "head" else f"({head}, {relation}, ?)"
    figures = {
        "score": True,
        "probability": explanation.probability is not None,
        "rank": explanation.rank is not None,
        "deletion test": explanation.faithfulness is not None,
    }
    *most, last = [name for name, shown in figures.items() if shown]
    named = f"{', '.join(most)} and {last} are those" if most else f"{last} is that"
    return (
        f"Asked for the {explanation.side}, {query}: {named} of "
        f"{explanation.label(explanation.ends[1])} as the answer; its rivals are all entities but "
        "the other known answers."
    )


def known_sentence(known: Known, walks: bool = True) -> str:
    """Say which split states the answer; path models are queried with that fact hidden."""
    if known == "no":
        return "not among the known facts"
    return f"a fact of the {known} split" + ", hidden for this query" * (known == "train" and walks)


def path_text(explanation: ExplanationData, path: Path) -> str:
    """Format a path as ``A —brother→ B ←father— C``: arrows have the direction of the facts."""
    if not path.steps:
        return explanation.label(explanation.ends[0])
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
    facts = "the named evidence" + f" ({_edges(measured.n_deleted)})" * (measured.n_deleted > 0)
    verdict = measured.verdict
    if verdict == "no effect":
        return (
            f"Deleting {facts} does not lower the score (change "
            f"{number(-measured.deleted_drop)}): these paths do not explain it."
        )
    named = f"Deleting {facts} lowers the score by {number(measured.deleted_drop)}"
    if verdict == "not compared" or measured.random_drop is None:
        return f"{named}. {_not_compared(measured.n_others)}"
    draws = f" (mean of {measured.draws} draws)" if measured.draws else ""
    if verdict == "as random":
        much = "more" if measured.random_drop > measured.deleted_drop else "about as much"
        return (
            f"{named}, but deleting as many random edges lowers it {much}, by "
            f"{number(measured.random_drop)}{draws}: the score does not rest on these paths in "
            "particular."
        )
    if measured.ratio is None:
        return f"{named}; deleting as many random edges does not lower it{draws}."
    return (
        f"{named}, {number(measured.ratio)} times as much as deleting as many random edges, "
        f"which lowers it by {number(measured.random_drop)}{draws}."
    )


def _edges(count: int) -> str:
    return f"{count:,} edge{'s' * (count != 1)}"


def _not_compared(n_others: int | None) -> str:
    """Say why no random deletion was drawn."""
    if n_others is None:
        return "No random deletion was drawn to compare with."
    if n_others == 0:
        return (
            "The model followed no other edge: no random deletion can be drawn, so this is no "
            "test of these paths."
        )
    return (
        f"The model followed only {_edges(n_others)} beside these: too few to delete as many at "
        "random, so this is no test of these paths."
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
    question = question_sentence(explanation)
    lines = [title, answer_sentence(explanation), *[question] * bool(question)]
    if explanation.walks:
        keys = " (weight, path; ←r— traverses the fact r backwards)" * bool(explanation.paths)
        lines += ["", f"Paths{keys}"]
        if explanation.paths and explanation.path_order:
            lines.append(f"  {explanation.path_order}")
        lines += [
            f"  {number(path.weight):>8}  {path_text(explanation, path)}"
            for path in explanation.paths
        ] or [f"  none: {explanation.no_path or NO_PATH}"]
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
