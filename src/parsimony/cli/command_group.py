"""What every verb shares: one JSON object or readable text on stdout, errors, exit codes.

Exit codes: 0 done · 1 failed · 2 wrong usage or input · 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import typer
from typer.core import TyperGroup

from parsimony.decoding.strict_json import json_text, plain
from parsimony.errors import ParsimonyError
from parsimony.stopping import Interrupted, reported, stopped
from parsimony.visible import visible

__all__ = ["CommandGroup", "Output"]

# Typer uses its own Click or the installed one; its exceptions are found through their base class.
_CLICK_ERROR: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)


class Output:
    """Where a verb writes its result.

    Parameters
    ----------
    as_json
        One JSON object on stdout, nothing else.
    quiet
        No notes on stderr.
    """

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self.as_json, self.quiet = as_json, quiet

    def result(self, value: dict[str, Any], *readable: Any) -> None:
        """Print the result: ``value`` under ``--json``, else the readable parts.

        Parameters
        ----------
        value
            JSON-serialisable; non-finite numbers become null.
        *readable
            Strings or rich renderables, printed in order.
        """
        if self.as_json:
            print_json(value)
            return
        from rich.console import Console

        # A pipe has no width: wide enough not to truncate names.
        width = None if sys.stdout.isatty() else 140
        console = Console(markup=False, highlight=False, emoji=False, width=width)
        for part in readable:
            text = isinstance(part, str)
            console.print(visible(part) if text else part, soft_wrap=text)

    def files(self, contents: Mapping[Path, bytes | str], about: str = "") -> None:
        """Write the files that the user asked for, all or none, and note where they are.

        Raises
        ------
        CannotWrite
            A folder is full or not writable; the files are as they were.
        """
        from parsimony.run.lock import write_outputs

        write_outputs(contents)
        for path in contents:
            self.note(f"written: {path}{about}")

    def note(self, text: str) -> None:
        """Print a note on stderr, apart from the result."""
        if not self.quiet:
            print(visible(text), file=sys.stderr)


def print_json(value: dict[str, Any], stream: TextIO | None = None) -> None:
    """Write one JSON object and a newline."""
    stream = stream or _real_stdout()
    utf8 = (getattr(stream, "encoding", None) or "").lower().replace("-", "") == "utf8"
    # A terminal may obey control characters that JSON need not escape.
    text = json_text(plain(value), ensure_ascii=not utf8 or stream.isatty())
    stream.write(text + "\n")
    stream.flush()


_stdout: list[TextIO] = []


def _real_stdout() -> TextIO:
    return _stdout[-1] if _stdout else sys.stdout


@contextlib.contextmanager
def _only_json_on_stdout(as_json: bool) -> Iterator[None]:
    """Redirect what libraries print to stderr, so that stdout holds one object."""
    if not as_json:
        yield
        return
    _stdout.append(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _stdout.pop()


def _escape_what_streams_lack() -> None:
    """Let the standard streams escape what their encoding lacks, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _deprecations_as_notes() -> Iterator[None]:
    """Print on stderr, as one line each, what is accepted by an earlier name."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        print(visible(f"note: {message}"), file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("default", FutureWarning)
        warnings.showwarning = show
        yield


class CommandGroup(TyperGroup):
    """The group of verbs: runs one, reports errors, exits."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the verbs in the order of use, not alphabetically."""
        return list(self.commands)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a verb; every error is one message, as JSON on stdout with ``--json``."""
        words = list(sys.argv[1:] if args is None else args)
        flags = words[: words.index("--")] if "--" in words else words
        as_json = "--json" in flags
        _escape_what_streams_lack()
        help_asked = {"-h", "--help", "--version"} & set(flags)
        with _only_json_on_stdout(as_json and not help_asked), _deprecations_as_notes():
            code = self._run(words, prog_name or "parsimony", as_json, extra)
        if not standalone_mode:
            return code
        sys.exit(code)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; Typer would end Ctrl-C without a word, and call an empty file an abort."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted.now() from None
        except EOFError as error:
            raise RuntimeError(f"the end of a file came too early ({error})") from error

    def _run(self, words: list[str], prog_name: str, as_json: bool, extra: dict[str, Any]) -> int:
        try:
            code = super().main(words, prog_name, standalone_mode=False, **extra)
            if code == Interrupted.exit_code:  # Typer's own answer to Ctrl-C
                raise Interrupted.now()
            code = code if isinstance(code, int) else 0
        except (KeyboardInterrupt, typer.Abort):
            code = _report(Interrupted.now(), as_json)
        except Exception as error:
            # An import that was cut off can fail in other ways than by the interrupt itself.
            cut = stopped() and not isinstance(error, Interrupted)
            code = _report(Interrupted.now() if cut else error, as_json)
        reported()
        return code


def _report(problem: Exception, as_json: bool) -> int:
    """Print an error as one message; return the exit code."""
    try:
        raise problem
    except Interrupted as error:
        told = error.told
        return (
            error.exit_code
            if told
            else _fail(error.to_dict(), str(error), error.exit_code, as_json)
        )
    except ParsimonyError as error:
        return _fail(error.to_dict(), str(error), error.exit_code, as_json)
    except _CLICK_ERROR as error:
        return _fail_usage(error, as_json)
    except BrokenPipeError:
        # The reader of our output is gone; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        what = error.strerror or str(error)
        remedy = "check the path, its permissions and the space left on the disk"
        parts = {"type": type(error).__name__, "message": what, "remedy": remedy}
        if error.filename is not None:
            parts["where"] = str(error.filename)
        where = f"{error.filename}: " if error.filename is not None else ""
        return _fail(parts, f"{where}{what}; {remedy}", 1, as_json)
    except MemoryError:
        parts = {
            "type": "MemoryError",
            "message": "not enough memory",
            "remedy": "use a smaller --set batch=, --set eval_batch= or --set dim=",
        }
        return _fail(parts, f"{parts['message']}; {parts['remedy']}", 1, as_json)
    except Exception as error:
        traceback.print_exc()
        parts = {
            "type": type(error).__name__,
            "message": str(error),
            "remedy": "this is a bug in Parsimony: please report it with the lines above",
        }
        return _fail(parts, f"{type(error).__name__}: {error}; {parts['remedy']}", 1, as_json)


def _fail(parts: dict[str, str], text: str, code: int, as_json: bool) -> int:
    if as_json:
        print_json({"error": parts})
    else:
        print(visible(f"error: {text}"), file=sys.stderr)
    return code


def _fail_usage(error: Any, as_json: bool) -> int:
    """Report a wrong command line: the message, and where to find help."""
    context = error.ctx if hasattr(error, "ctx") else None
    if type(error).__name__ == "NoArgsIsHelpError" and not as_json:
        print(error.format_message(), file=sys.stderr)
        return 2
    if type(error).__name__ == "NoArgsIsHelpError":
        message = "no verb given"
    else:
        message = error.format_message().rstrip(".")
    remedy = f"see: {context.command_path if context is not None else 'parsimony'} --help"
    parts = {"type": "UsageError", "message": message, "remedy": remedy}
    text = f"{message}{' ' if message.endswith('?') else '; '}{remedy}"
    return _fail(parts, text, 2, as_json)
