"""``parsimony fit``: train a method on a dataset and write a run folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.completion import complete_method
from parsimony.cli.options import (
    Address,
    Columns,
    Data,
    Json,
    Mirror,
    Quiet,
    Resume,
    Seed,
    Settings,
    Task,
    parse_columns,
    parse_settings,
)
from parsimony.errors import InvalidParameter, UsageError
from parsimony.methods import OURS
from parsimony.stopping import BEGAN, Interrupted, finishing, interruptible, stopped
from parsimony.training.launcher import launched, rank_here

_METHODS = "; for ".join(f"{kind}: {', '.join(methods)}" for kind, methods in OURS.items())
_ENDED = {
    "time budget": "the time budget (to continue: a larger one and --resume)",
    "interrupted": "the interruption",
    "patience": "early stopping (no improvement on validation)",
}


def command(
    data: Data,
    task: Task = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help="auto: the methods race, and the simplest that is not worse wins. Or a method "
            f"of parsimony methods: for {_METHODS}.",
            autocompletion=complete_method,
        ),
    ] = None,
    simplest: Annotated[
        bool, typer.Option("--simplest", help="Of a race: the simplest that beats counting.")
    ] = False,
    best: Annotated[
        bool, typer.Option("--best", help="Of a race: the best on validation, however large.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="RUN", help="Run folder [default: runs/DATA-METHOD-SEED]."),
    ] = None,
    settings: Settings = None,
    knowledge: Annotated[
        Path | None,
        typer.Option(
            "--knowledge",
            metavar="BOOK",
            help="A book or a file of rules: method rules answers by it; for other methods of link "
            "prediction it is facts, prior and mask (--set knowledge_as=…); for walks, mechanisms.",
        ),
    ] = None,
    symbol: Annotated[
        str | None,
        typer.Option(
            "--symbol",
            metavar="FILE|NAME",
            help="Scoring function of method bilinear: a knowledge.toml, a text file, or a name.",
        ),
    ] = None,
    formula: Annotated[
        str | None,
        typer.Option(
            "--formula",
            metavar="FILE|NAME",
            help="Modulation of method coldnas: a knowledge.toml, a text file, or a name.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Maximum number of epochs.")
    ] = None,
    time_budget: Annotated[
        str | None,
        typer.Option(
            "--time-budget",
            metavar="20m",
            help="Wall time of the whole command, over all resumptions [default of a race: 10m].",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory", metavar="4G", help="Most memory: batches are made smaller where needed."
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, or cuda.")] = "cpu",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            max=64,
            metavar="N",
            help="Processes that share every batch (redgnn, adaprop), cut the table of vectors "
            "(complex and others) or count (rules). To train on several machines: start the "
            "command by torchrun on each.",
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="local|ray",
            help="Where the methods of a race train, or rules count.",
        ),
    ] = "local",
    address: Address = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what it will take: time, memory, size, reach."),
    ] = False,
    resume: Resume = False,
    mirror: Mirror = None,
    columns: Columns = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Find the model that fits the data, or train a method, and write a run folder."""
    output = Output(as_json, quiet)
    given = "bilinear" if symbol is not None else "coldnas" if formula is not None else None
    given = given or ("rules" if knowledge is not None else None)
    if method == "auto" and given is not None:
        raise UsageError("a race takes no symbol, formula or rules", remedy=f"--method {given}")
    header, parameters = parse_columns(columns), parse_settings(settings)
    if method is None and given is None and not (simplest or best):
        from parsimony.search.fitting import meant_method

        begun = out if resume else None
        given = meant_method(data, parameters, columns=header, task=task, begun=begun)
    if method in (None, "auto") and given is None:
        if dry_run or memory is not None:
            raise UsageError(
                "--dry-run and --memory are of one method", remedy="for example --method redgnn"
            )
        if workers is not None or launched():
            raise UsageError("workers share the batches of one method", remedy="--method redgnn")
        from parsimony.cli.race import let_race

        run = out or default_run(data, "auto", parameters.get("seed", seed), parameters)
        request: dict[str, Any] = {
            "data": data, "out": run, "began": BEGAN, "wanted": _wanted(simplest, best),
            "task": task, "settings": parameters, "epochs": epochs, "device": device,
            "resume": resume, "mirror": mirror, "columns": header, "seed": seed,
        }  # fmt: skip
        if time_budget is not None:
            request["seconds"] = _seconds(time_budget)
        with interruptible(lambda: kept(run)), finishing():
            let_race(output, request, engine=engine, address=address)
        _tell_a_stop(run, as_json)
        return
    if simplest or best:
        raise UsageError("--simplest and --best are of a race", remedy="--method auto")
    from parsimony.problems import method_for

    method = method_for(data, method or given, task, header)
    elsewhere = engine != "local" or address is not None
    if elsewhere and method != "rules":
        raise UsageError(
            "--engine and --address are of a race, or of method rules", remedy="--method auto"
        )
    if rank_here():
        _follow(method)
        return
    if symbol is not None:
        parameters["symbol"] = _symbol(symbol, method)
    if formula is not None:
        parameters["formula"] = _formula(formula, method)
    options: dict[str, Any] = {}
    if elsewhere:
        from parsimony.run.engine import resolve_engine

        options["engine"] = resolve_engine(engine, address=address, processes=workers or 1)
    if knowledge is not None:
        from parsimony.methods import resolve

        stated = "mechanisms" in resolve(method).Parameters.model_fields
        if stated and knowledge.suffix != ".toml":  # so that errors name the line
            from parsimony.ddi.mechanisms import stated_lines

            parameters["mechanisms"] = [*parameters.get("mechanisms", ()), *stated_lines(knowledge)]
        else:
            options["knowledge"] = read_given(knowledge, data, mirror, header, seed, output)
    from parsimony.run.deadline import Deadline

    budget = Deadline(_seconds(time_budget), began=BEGAN)
    from parsimony.answers import as_notes
    from parsimony.base.memory import parse_memory
    from parsimony.pipeline import estimate, fit

    most = None if memory is None else parse_memory(memory)
    if dry_run:
        found = estimate(
            data, method, parameters=parameters, epochs=epochs, memory=most, device=device,
            mirror=mirror, columns=header, seed=seed,
        )  # fmt: skip
        _release()
        limit = budget.seconds if budget.limited else None
        output.result(found.as_dict() | {"time_budget": limit}, *found.lines(limit))
        return
    run = out or default_run(data, method, parameters.get("seed", seed), parameters)
    with interruptible(lambda: kept(run)), finishing():
        _, summary = fit(
            data,
            method,
            out=run,
            parameters=parameters,
            epochs=epochs,
            time_budget=budget,
            memory=most,
            device=device,
            resume=resume,
            mirror=mirror,
            columns=header,
            workers=workers or launched() or 1,
            seed=seed,
            quiet=quiet,
            **options,
        )
        _release()
    for note in as_notes(summary.get("notes", ())):
        output.note(note)
    output.result(summary, *_readable(summary))
    _tell_a_stop(run, as_json)


def _tell_a_stop(run: Path, told: bool) -> None:
    """End as an interrupted command does, whose answer stands, where a signal came."""
    if stopped():
        raise Interrupted.now(
            f"what was learned until then is in {run}; to continue: {_again(resume=True)}",
            told=told,
        )


def read_given(
    source: Path, data: str, mirror: str | None, columns: Any, seed: int, output: Output
) -> Any:
    """Read what is known, with the types beside the data; an ontology by the graph's own names."""
    from parsimony.knowledge.ontology import ONTOLOGY_SUFFIXES
    from parsimony.knowledge.sources import TYPES, read_knowledge, read_types

    beside, graph, notes = Path(data) / TYPES, None, list[str]()
    if source.suffix.lower() in ONTOLOGY_SUFFIXES:
        from parsimony.link.loading import load

        graph = load(data, mirror=mirror, columns=columns, seed=seed).graph
    types = read_types(beside) if beside.is_file() else None
    found = read_knowledge(source, graph, types=types, notes=notes)
    for note in notes:
        output.note(note)
    return found


def _follow(method: str) -> None:
    """Work for the first of the processes that a launcher has started."""
    from parsimony.methods import resolve

    cls = resolve(method)
    cls.check_call(workers=launched())
    from parsimony.training.workers import follow

    follow(cls.work)


def _release() -> None:
    """Let those go whom a launcher has started, where there was nothing to train."""
    if launched():
        from parsimony.training.workers import release

        release()


def _wanted(simplest: bool, best: bool) -> str:
    """What a race is to choose."""
    if simplest and best:
        raise UsageError("the simplest is not the best", remedy="--simplest or --best")
    return "simplest" if simplest else "best" if best else "auto"


def _symbol(given: str, method: str) -> str:
    """Read a symbol from a file, a run folder, its name or its text.

    Raises
    ------
    InvalidParameter
        The method has a scoring function of its own.
    MissingFile
        It looks like a path, but nothing is there.
    FormatError, UnknownSymbol
        The file or text holds no symbol.
    """
    from parsimony.errors import MissingFile
    from parsimony.knowledge.symbol import Symbol
    from parsimony.knowledge.symbol_file import read_symbol

    if method != "bilinear":
        raise InvalidParameter(
            f"method {method!r} takes no symbol", remedy="--method bilinear, or leave it out"
        )
    path = Path(given)
    if (path / "knowledge.toml").is_file():
        path = path / "knowledge.toml"
    if path.is_file():
        return str(read_symbol(path))
    if path.suffix in (".toml", ".txt") or path.is_dir() or len(path.parts) > 1:
        raise MissingFile("no symbol there", remedy="give a file or a name", where=given)
    return str(Symbol.parse(given))


def _formula(given: str, method: str) -> str:
    """Read a formula from a file, a run folder, its name or its text.

    Raises
    ------
    InvalidParameter
        The method has a modulation of its own.
    MissingFile
        It looks like a path, but nothing is there.
    FormatError
        The file or text holds no formula.
    """
    from parsimony.errors import MissingFile
    from parsimony.knowledge.formula import Formula, read_formula

    if method != "coldnas":
        raise InvalidParameter(
            f"method {method!r} takes no formula", remedy="--method coldnas, or leave it out"
        )
    path = Path(given)
    if (path / "knowledge.toml").is_file():
        path = path / "knowledge.toml"
    if path.is_file():
        return str(read_formula(path))
    expressions = ";" in given or "\n" in given  # these may contain a / as well
    if not expressions and (
        path.suffix in (".toml", ".txt") or path.is_dir() or len(path.parts) > 1
    ):
        raise MissingFile("no formula there", remedy="give a file or a name", where=given)
    return str(Formula.parse(given))


def default_run(
    data: str, method: str, seed: Any, settings: Mapping[str, Any] = MappingProxyType({})
) -> Path:
    """Return ``runs/DATA-METHOD-SEED``, with the task's split and setting where given."""
    name = Path(data.rstrip("/")).name
    stem = Path(name).stem if Path(data).is_file() else name
    more = [str(settings[key]) for key in ("split", "setting") if key in settings]
    return Path("runs") / "-".join([stem or "data", *more, method, str(seed)])


def kept(run: Path) -> str:
    """What an interrupted fit or search has kept, and the command that goes on."""
    trials = list(run.glob("**/trials.jsonl"))
    if not (run / "config.toml").exists() and not trials:
        return f"nothing was kept yet; to start again: {_again(resume=False)}"
    checkpoint = any(run.glob("checkpoints/**/*.safetensors"))
    what = "the last checkpoint is kept" if checkpoint else "there was no checkpoint yet"
    if trials:
        what = "the finished trials are kept"
    return f"{what}; to continue: {_again(resume=True)}"


def _again(*, resume: bool) -> str:
    """The command that was given, to go on or to start again."""
    words = [word for word in sys.argv[1:] if word != "--resume"]
    if words and words[0] in ("fit", "search", "tune", "loop"):
        return shlex.join(["parsimony", *words, *["--resume"] * resume])
    return "the same command" + " with --resume" * resume


def _seconds(budget: str | None) -> float | None:
    if budget is None:
        return None
    from parsimony.run.duration import parse_duration

    return parse_duration(budget)


def _readable(summary: dict[str, Any]) -> list[Any]:
    valid = "  ".join(f"{name} {value:.4f}" for name, value in summary["valid"].items())
    ended = f", ended by {_ENDED[summary['ended']]}" if summary["ended"] in _ENDED else ""
    return [
        f"{summary['method']}: {summary['parameters']:,} parameters, best epoch "
        f"{summary['best_epoch']} of {summary['epochs']}, {summary['seconds']:.1f} s{ended}",
        f"valid: {valid or 'no validation facts'}",
        f"run:   {summary['run']}",
        f"next:  parsimony evaluate {shlex.quote(str(summary['run']))}",
    ]
