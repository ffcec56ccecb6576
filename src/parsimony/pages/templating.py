"""The Jinja environment of all pages, its filters, and the resources a page embeds."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from parsimony.decoding.strict_json import json_text
from parsimony.pages.numbers import number
from parsimony.visible import visible

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = [
    "amount",
    "bar",
    "content_policy",
    "duration",
    "environment",
    "fraction",
    "json_script",
    "memory",
    "resource",
    "script",
    "style",
    "style_hash",
    "with_contents",
]

_DASH = "–"
_STYLES = ("templates/style.css",)
_SCRIPTS = ("vendor/cytoscape.min.js", "templates/graph.js", "templates/table.js")
_LONG = 4  # a page with as many sections has a list of contents
_SECTION = re.compile(r'<h2(?: id="([^"]*)")?>(.*?)</h2>', re.S)
# The one style sheet that cytoscape adds to a page by itself.
_CYTOSCAPE = ".__________cytoscape_container { position: relative; }"


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


def bar(share: float) -> Markup:
    """Draw a share of 100 as a bar, without a style attribute."""
    from markupsafe import Markup

    return Markup(
        '<svg class="bar" aria-hidden="true"><rect width="{:.1f}%" height="100%"/></svg>'
    ).format(share)


def script(name: str) -> Markup:
    """Embed one of our scripts, or a vendored one."""
    from markupsafe import Markup

    assert name in _SCRIPTS
    return Markup(f"<script>{resource(name)}</script>")


def style(name: str) -> Markup:
    """Embed one of our style sheets."""
    from markupsafe import Markup

    assert name in _STYLES
    return Markup(f"<style>{resource(name)}</style>")


def with_contents(main: Markup) -> Markup:
    """Give the sections of a page addresses; a long page lists them below its title."""
    from markupsafe import Markup

    found: list[tuple[str, str]] = []

    def named(match: re.Match[str]) -> str:
        found.append((match[1] or f"section-{len(found) + 1}", match[2]))
        return f'<h2 id="{found[-1][0]}">{match[2]}</h2>'

    text = _SECTION.sub(named, str(main))
    if len(found) >= _LONG:
        items = "".join(f'<li><a href="#{place}">{title}</a></li>' for place, title in found)
        contents = f'<nav class="contents" aria-label="Contents"><ul>{items}</ul></nav>'
        text = text.replace("</h1>", f"</h1>\n{contents}", 1)
    return Markup(text)


@cache
def content_policy() -> str:
    """Return the Content-Security-Policy of all pages: our own scripts and styles, by hash."""
    scripts = " ".join(_hash(resource(name)) for name in _SCRIPTS)
    styles = " ".join(_hash(text) for text in (*map(resource, _STYLES), _CYTOSCAPE))
    return f"default-src 'none'; style-src {styles}; script-src {scripts}; img-src data:"


@cache
def resource(name: str) -> str:
    """Read a file that a page embeds."""
    return files("parsimony.pages").joinpath(name).read_text(encoding="utf-8")


def style_hash() -> str:
    """Return the hash by which a policy allows the style sheet that cytoscape adds."""
    return _hash(_CYTOSCAPE)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


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
        # A name cannot turn the text around it.
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    made.filters |= {
        "amount": amount,
        "duration": duration,
        "fraction": fraction,
        "json_script": json_script,
        "memory": memory,
        "significant": significant,
    }
    made.globals |= {
        "bar": bar,
        "content_policy": content_policy,
        "script": script,
        "style": style,
        "with_contents": with_contents,
    }
    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
