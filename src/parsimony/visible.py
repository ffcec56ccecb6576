"""Text as a terminal or a page may show it: names from files command neither."""

from __future__ import annotations

import re

__all__ = ["visible"]

# C0 (but tab and line end), DEL, C1, the bidirectional controls, the other line ends, and halves of
# surrogate pairs, by which Python keeps the bytes of a path that is not UTF-8.
_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str, *, one_line: bool = False) -> str:
    r"""Return a text with its control characters written as escapes, such as ``\x1b``.

    Parameters
    ----------
    text : str
        May hold names from files.
    one_line : bool
        Escape line ends and tabs, too: a cell of a table.
    """
    shown = _COMMANDS.sub(_escape, text)
    return shown.replace("\n", "\\n").replace("\t", "\\t") if one_line else shown


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
