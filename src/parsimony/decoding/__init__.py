"""The boundary where bytes from outside become values: limits first, then typed errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.decoding.arrays import load_array, load_tensors, mapped_array
    from parsimony.decoding.documents import checked, parse_json, parse_toml, read_json, read_toml
    from parsimony.decoding.files import check_file, check_folder, read_bytes, read_text

__all__ = [
    "check_file",
    "check_folder",
    "checked",
    "load_array",
    "load_tensors",
    "mapped_array",
    "parse_json",
    "parse_toml",
    "read_bytes",
    "read_json",
    "read_text",
    "read_toml",
]

__getattr__ = lazy(
    __name__,
    {
        "check_file": "files",
        "check_folder": "files",
        "checked": "documents",
        "load_array": "arrays",
        "load_tensors": "arrays",
        "mapped_array": "arrays",
        "parse_json": "documents",
        "parse_toml": "documents",
        "read_bytes": "files",
        "read_json": "documents",
        "read_text": "files",
        "read_toml": "documents",
    },
)
