"""Files of another kind than their name says, known by their first bytes."""

from __future__ import annotations

from parsimony.errors import EncodingError, FormatError

__all__ = ["refuse_foreign"]

_SPREADSHEET = "a zip archive or spreadsheet (xlsx, ods)", "unzip it, or save it as CSV UTF-8"
_PACKED = "packed by {0}", "unpack it first: {0} -d"
_KINDS = {
    b"\x1f\x8b": tuple(part.format("gzip") for part in _PACKED),
    b"\x28\xb5\x2f\xfd": tuple(part.format("zstd") for part in _PACKED),
    b"BZh": tuple(part.format("bzip2") for part in _PACKED),
    b"\xfd7zXZ\x00": tuple(part.format("xz") for part in _PACKED),
    b"PK\x03\x04": _SPREADSHEET,
    b"PK\x05\x06": _SPREADSHEET,
    b"\xd0\xcf\x11\xe0": ("a spreadsheet or document (xls)", "save it as CSV UTF-8"),
    b"PAR1": ("a Parquet file", "name it with the suffix .parquet"),
    b"ARROW1": ("an Arrow file", "save it as Parquet or CSV"),
    b"\x89HDF": ("an HDF5 file", "save it as Parquet or CSV"),
    b"SQLite format 3\x00": ("an SQLite database", "export the table as CSV"),
    b"\x93NUMPY": ("a NumPy array", "save it as TSV or Parquet, with names"),
    b"%PDF-": ("a PDF document", "save the table as CSV UTF-8"),
}


def refuse_foreign(head: bytes, where: str) -> None:
    """Refuse what the first bytes of a file show not to be text in UTF-8, with the right remedy.

    Parameters
    ----------
    head : bytes
        Some hundred bytes.
    where : str
        The file's name.

    Raises
    ------
    EncodingError
        Text in UTF-16 or UTF-32.
    FormatError
        A packed file, a spreadsheet, a web page …
    """
    if (encoding := _wide(head)) is not None:
        raise EncodingError(
            f"text in {encoding}, not in UTF-8",
            remedy=f"convert the file: iconv -f {encoding.lower()} -t utf-8",
            where=f"{where}:1",
        )
    if head.startswith(b"BZh") and head[4:10] != b"1AY&SY":
        return  # a text that begins like this
    for magic, (what, remedy) in _KINDS.items():
        if head.startswith(magic):
            raise FormatError(f"{what}, expected text", remedy=remedy, where=where)
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise FormatError(
            "a web page, expected text", remedy="download the file itself", where=where
        )


def _wide(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "UTF-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    # Without a mark: nearly every second byte of Western text is zero, and no other.
    odd, even = head[1:200:2].count(0), head[0:200:2].count(0)
    if len(head) > 3 and 4 * min(odd, even) < max(odd, even) > len(head[:200]) // 4:
        return "UTF-16LE" if odd > even else "UTF-16BE"
    return None
