"""JSON and TOML from outside: limits on size, depth and integers, then a schema."""

from __future__ import annotations

import json
import math
import os
import tomllib
from typing import Any, NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError

from parsimony.decoding.files import MAX_DOCUMENT, read_text
from parsimony.errors import FormatError, ParsimonyError

__all__ = ["checked", "parse_json", "parse_toml", "read_json", "read_toml"]

MAX_DEPTH = 64
MAX_INTEGER = 2**63
T = TypeVar("T")


def parse_json(
    text: str | bytes,
    where: str | None = None,
    *,
    error: type[ParsimonyError] = FormatError,
    remedy: str = "write it again",
    max_integer: int = MAX_INTEGER,
) -> Any:
    """Return the value of a JSON text: finite numbers, Unicode text, at most 64 levels deep.

    Parameters
    ----------
    text : str or bytes
        Bytes are UTF-8.
    where : str, optional
        The file or ``file:line`` named by the error.
    error : type
        The error raised; :class:`~parsimony.errors.CorruptRun` for files of a run.
    remedy : str
        What the user can do about it.
    max_integer : int
        Integers must lie below it in absolute value.

    Raises
    ------
    error
        Not JSON; NaN, infinity or an integer out of range; half a surrogate pair; too deep, too
        long.
    """
    return _parse("JSON", json_value, text, where, error, remedy, max_integer)


def parse_toml(
    text: str | bytes,
    where: str | None = None,
    *,
    error: type[ParsimonyError] = FormatError,
    remedy: str = "write it again",
    max_integer: int = MAX_INTEGER,
) -> dict[str, Any]:
    """Return the table of a TOML text; limits and errors are those of :func:`parse_json`."""
    table: dict[str, Any] = _parse("TOML", tomllib.loads, text, where, error, remedy, max_integer)
    return table


def read_json(
    path: str | os.PathLike[str],
    *,
    error: type[ParsimonyError] = FormatError,
    remedy: str = "write it again",
) -> Any:
    """Return the value of a JSON file; see :func:`parse_json` and :func:`read_text`."""
    return parse_json(_text(path, error, remedy), os.fspath(path), error=error, remedy=remedy)


def read_toml(
    path: str | os.PathLike[str],
    *,
    error: type[ParsimonyError] = FormatError,
    remedy: str = "write it again",
) -> dict[str, Any]:
    """Return the table of a TOML file; see :func:`parse_json` and :func:`read_text`."""
    return parse_toml(_text(path, error, remedy), os.fspath(path), error=error, remedy=remedy)


def checked(
    schema: type[T],
    value: Any,
    where: str | None = None,
    *,
    error: type[ParsimonyError] = FormatError,
    remedy: str = "write it again",
) -> T:
    """Return a decoded value as its schema describes it.

    Parameters
    ----------
    schema : type
        A pydantic model, dataclass, TypedDict or any annotated type such as ``dict[str, int]``.
    value : object
        As :func:`parse_json` or :func:`parse_toml` returned it.

    Raises
    ------
    error
        The value is of another form; the message names the first wrong field.
    """
    try:
        return TypeAdapter(schema).validate_python(value)
    except (ValidationError, RecursionError) as problem:
        if isinstance(problem, ValidationError):
            first = problem.errors(include_url=False, include_context=False, include_input=False)[0]
            field = ".".join(str(part)[:60] for part in first["loc"]) or "the whole"
            reason = f"{field}: {first['msg']}"
        else:
            reason = "nested too deeply"
        raise error(f"not of the expected form ({reason})", remedy=remedy, where=where) from None


def json_value(text: str) -> Any:
    """Return the value of a JSON text; ValueError for NaN and infinity."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a JSON number")

    return json.loads(text, parse_constant=refuse)


def _parse(
    kind: str,
    parse: Any,
    text: str | bytes,
    where: str | None,
    error: type[ParsimonyError],
    remedy: str,
    max_integer: int,
) -> Any:
    try:
        if len(text) > MAX_DOCUMENT:
            raise ValueError(f"longer than {MAX_DOCUMENT:,} bytes")
        value = parse(text.decode("utf-8-sig") if isinstance(text, bytes) else text)
        _require_plain(value, max_integer)
    # OverflowError: a date's offset. RecursionError: brackets that do not end.
    except (ValueError, RecursionError, OverflowError) as problem:
        reason = "nested too deeply" if isinstance(problem, RecursionError) else str(problem)
        raise error(f"not {kind}: {reason[:200]}", remedy=remedy, where=where) from None
    return value


def _require_plain(value: Any, max_integer: int) -> None:
    """Refuse, without recursion, what no reader behind this one expects."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.keys()
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str):
                item.encode()  # UnicodeEncodeError is a ValueError: half a surrogate pair
            elif isinstance(item, float) and not math.isfinite(item):
                raise ValueError("a number that is not finite")
            elif isinstance(item, int) and abs(item) >= max_integer:
                raise ValueError(f"an integer of more than {max_integer.bit_length() - 1} bits")
        level = below


def _text(path: str | os.PathLike[str], error: type[ParsimonyError], remedy: str) -> str:
    try:
        return read_text(path)
    except ParsimonyError as problem:
        if error is FormatError:
            raise
        raise error(problem.message, remedy=remedy, where=problem.where) from None
