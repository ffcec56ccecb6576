"""The Jinja environment of all pages, its filters, and the resources a page embeds."""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from parsimony.decoding.strict_json import json_text
from parsimony.pages.numbers import number

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["amount", "duration", "environment", "fraction", "json_script", "memory", "resource"]

_DASH = "–"


def fraction(value: Any, digits: int = 3) -> str:
    """Format a number in [0, 1] with a fixed number of decimals, so that columns align."""
    return f"{value:.{digits}f}" if _is_number(value) else _DASH


def amount(value: Any) -> str:
    """Format a count with separators, from a billion up with a unit: ``4.31 trillion``."""
    if not _is_number(value):
        return _DASH
    for size, unit in ((1e15, "quadrillion"), (1e12, "trillion"), (1e9, "billion")):
        if abs(value) >= size:
            return f"{value / size:.2f} {unit}"
    return f"{value:,.0f}"


def duration(seconds: Any) -> str:
    """Format seconds as hours, minutes and seconds."""
    if not _is_number(seconds):
        return _DASH
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def memory(n_bytes: Any) -> str:
    """Format bytes in MiB or GiB."""
    if not _is_number(n_bytes):
        return _DASH
    mebi = n_bytes / 2**20
    return f"{mebi / 1024:.2f} GiB" if mebi >= 1024 else f"{mebi:.0f} MiB"


def significant(value: Any) -> str:
    """Format with three significant digits."""
    return number(value) if _is_number(value) else _DASH


def json_script(value: Any) -> Markup:
    """Return JSON that is safe inside a script element: it contains no ``<``, ``>`` or ``&``."""
    from markupsafe import Markup

    text = json_text(value, ensure_ascii=True)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


@cache
def resource(name: str) -> Markup:
    """Read one of our style sheets or scripts, or a vendored one, to embed it in the page."""
    from markupsafe import Markup

    return Markup(files("parsimony.pages").joinpath(name).read_text(encoding="utf-8"))


@cache
def environment() -> Environment:
    """Return the environment: autoescape on, undefined names are errors."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("parsimony.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "amount": amount,
        "duration": duration,
        "fraction": fraction,
        "json_script": json_script,
        "memory": memory,
        "significant": significant,
    }
    made.globals["resource"] = resource
    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
