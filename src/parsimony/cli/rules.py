"""``parsimony rules``: rules as text, extracted from a run or mined from facts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import (
    Address,
    Columns,
    Engine,
    Json,
    Mirror,
    Quiet,
    Seed,
    Task,
    Workers,
    check_output,
    is_spread,
    open_run,
    parse_columns,
    spread,
)
from parsimony.cli.table_files import SUFFIXES, rows_bytes
from parsimony.errors import UnknownParameter, UsageError, suggest

_ALL = 1_000_000
_FORMATS = ("text", "anyburl", "amie", "datalog")


def command(
    source: Annotated[
        str, typer.Argument(metavar="RUN|DATA", help="A run folder, or a dataset to mine.")
    ],
    top: Annotated[int, typer.Option("--top", min=1, help="Maximum number of rules.")] = 100,
    relation: Annotated[
        str | None, typer.Option("--relation", metavar="R", help="Only rules with head relation R.")
    ] = None,
    max_length: Annotated[
        int | None,
        typer.Option(
            "--max-length",
            min=1,
            max=4,
            help="Maximum number of body atoms of mined rules, however long it takes "
            "[default: what each relation's facts allow in about a minute].",
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also write them to a file.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="|".join(_FORMATS), help="Format of the file.")
    ] = "text",
    task: Task = None,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = 1,
    mirror: Mirror = None,
    columns: Columns = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Write the rules of a run or of a dataset as text.

    Support and confidence are counted on the training facts. Where rules are mined, what is counted
    is kept beside FILE until it is written: the same command goes on after a kill.
    """
    out = Output(as_json, quiet)
    check_output(file)
    if file is not None and file.suffix.lower() in SUFFIXES and form != "text":
        raise UsageError(
            f"a table has no --format {form}", remedy=f"--out {file.with_suffix('.txt')}"
        )
    if form not in _FORMATS:
        raise UnknownParameter(
            f"unknown format {form!r}",
            remedy=suggest(form, _FORMATS) or f"formats: {', '.join(_FORMATS)}",
        )
    names = parse_columns(columns)
    from parsimony.answers import as_notes

    if (Path(source) / "config.toml").is_file():
        if is_spread(engine, address, workers):
            raise UsageError(
                "--engine, --address and --workers are for mining; a run holds its rules",
                remedy="leave them out",
            )
        found, notes = _rules_of_run(
            source, top=top, relation=relation, max_length=max_length, quiet=quiet
        )
        if file is not None:
            out.files({file: _content(file, _text(found, form), _listed(found))})
    else:
        from parsimony.knowledge import mine_rules
        from parsimony.link.loading import load
        from parsimony.problems import require_kind
        from parsimony.run.atomic import write_atomic
        from parsimony.run.shards import shards_of

        require_kind("link", source, "rules", task)
        data = load(source, mirror=mirror, columns=names, seed=seed)
        _check(relation, data.relations)
        notes = [*data.notes]
        mined = {"facts": data.graph.content_hash, "max_length": max_length}
        with (
            spread(engine, address, workers, file) as where,
            shards_of(file, mined, replace=True) as shards,
        ):
            rules = mine_rules(
                data.graph, max_length=max_length, notes=notes,
                engine=where, shards=shards, quiet=quiet,
            )  # fmt: skip
            found, notes = _best(rules, top, relation, notes)
            if file is not None:
                content = _content(file, _text(found, form), _listed(found))
                shards.become(file, lambda path: write_atomic(path, content))
                out.note(f"written: {file}")
    text, listed = _text(found, form), _listed(found)
    readable = text.rstrip("\n") if found else "no rules found"
    for note in as_notes(notes):
        out.note(note)
    out.result({"rules": listed, "notes": notes}, readable)


def _rules_of_run(
    source: str, *, top: int, relation: str | None, max_length: int | None, quiet: bool
) -> tuple[list[Any], list[str]]:
    """Extract the rules of a run, by decreasing confidence, with notes on what was left out.

    The rules that ``fit`` wrote into the run suffice for a few; extracting all of them takes
    minutes on a large graph.
    """
    if max_length is not None:
        raise UsageError(
            "--max-length is for mining; the rules of a run have the length they were fitted with",
            remedy="parsimony fit DATA --method rules --set max_length=…",
            where=source,
        )
    path = Path(source)
    estimator = open_run(path, "link")
    if hasattr(estimator, "vectors"):
        raise UsageError(
            f"method {estimator.method} learns embeddings, not rules",
            remedy="parsimony export writes the vectors; a symbol is in knowledge.toml",
            where=source,
        )
    _check(relation, estimator.task_.data.relations)
    written = _written(path) if relation is None else []
    notes = [*estimator.rules_notes()]
    if len(written) >= top:
        return written[:top], [*notes, f"the best {top:,} rules are given (--top)"]
    return _best(estimator.knowledge(top=_ALL, quiet=quiet), top, relation, notes)


def _best(
    rules: list[Any], top: int, relation: str | None, notes: list[str]
) -> tuple[list[Any], list[str]]:
    rules = [rule for rule in rules if relation in (None, rule.head.relation)]
    if len(rules) > top:
        notes.append(f"the best {top:,} of {len(rules):,} rules are given (--top)")
    return rules[:top], notes


def _listed(rules: list[Any]) -> list[dict[str, Any]]:
    return [{"text": str(r), "support": r.support, "confidence": r.confidence} for r in rules]


def _written(run: Path) -> list[Any]:
    from parsimony.knowledge import parse_rule
    from parsimony.run.folder import RunFolder

    known = RunFolder.open(run).read_toml("knowledge.toml") or {}
    return [parse_rule(line) for line in known.get("rules", [])]


def _check(relation: str | None, known: Any) -> None:
    if relation is not None:
        known.index(relation)


def _content(path: Path, text: str, rules: list[dict[str, Any]]) -> bytes | str:
    """Return the rules as text, or as a table by the suffix."""
    if path.suffix.lower() not in SUFFIXES:
        return text
    import polars as pl

    schema = {"text": pl.String, "support": pl.Int64, "confidence": pl.Float64}
    return rows_bytes(path, schema, [[rule[name] for name in schema] for rule in rules])


def _text(rules: list[Any], form: str) -> str:
    if form == "text":
        from parsimony.knowledge import format_rules

        return format_rules(rules)
    from parsimony.knowledge import rules_to_text

    return rules_to_text(rules, form)
