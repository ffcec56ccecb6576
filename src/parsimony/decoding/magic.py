"""Files of another kind than their name says, known by their first bytes."""

from __future__ import annotations

__all__ = ["foreign"]

_SPREADSHEET = "a zip archive or spreadsheet (xlsx, ods)", "unzip it, or save it as CSV UTF-8"
_UTF16 = "UTF-16 text", "convert it: iconv -f utf-16 -t utf-8"
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
    b"\xff\xfe\x00\x00": ("UTF-32 text", "convert it: iconv -f utf-32 -t utf-8"),
    b"\x00\x00\xfe\xff": ("UTF-32 text", "convert it: iconv -f utf-32 -t utf-8"),
}
_TEXT_MAGIC = (b"BZh",)  # could begin a text as well: the byte behind it decides


def foreign(head: bytes) -> tuple[str, str] | None:
    """Return what the first bytes of a file say it is, and the remedy; None for text.

    Parameters
    ----------
    head : bytes
        Some hundred bytes.
    """
    for magic, (what, remedy) in _KINDS.items():
        if head.startswith(magic) and (
            magic not in _TEXT_MAGIC or head[3:10].find(b"1AY&SY") == 1
        ):
            return what, remedy
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _UTF16
    # Without a mark: every second byte of Western text in UTF-16 is zero.
    even, odd = head[0:200:2], head[1:200:2]
    if len(head) > 3 and min(even.count(0), odd.count(0)) * 4 < max(even.count(0), odd.count(0)):
        if max(even.count(0), odd.count(0)) * 2 > len(odd):
            byte_order = "le" if odd.count(0) > even.count(0) else "be"
            return "UTF-16 text", f"convert it: iconv -f utf-16{byte_order} -t utf-8"
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page", "download the file itself"
    return None
