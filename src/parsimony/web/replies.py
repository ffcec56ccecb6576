"""How answers are sent: strict JSON with an ETag, a table as a file, errors with their status."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from parsimony.answers import Answers
from parsimony.decoding.strict_json import json_text, plain
from parsimony.errors import (
    CannotWrite,
    DataError,
    MissingExtra,
    MissingRun,
    ParsimonyError,
    UnknownDrug,
    UnknownEntity,
    UnknownRelation,
    UsageError,
)
from parsimony.version import __version__
from parsimony.web.served import Served
from parsimony.web.waiting import Busy

__all__ = [
    "download", "error_reply", "json_reply", "not_modified", "status_of", "table_reply", "tag_of",
]  # fmt: skip

_KINDS = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


def tag_of(served: Served, more: str = "0") -> str:
    """The ETag of what a run answers: of its seal, of this version, and of what else it is by."""
    return f'W/"{served.hash[:16]}-{__version__}-{more[:16]}"'


def not_modified(request: Request, tag: str) -> Response | None:
    """The answer to one who has it already; None where there is something to send."""
    known = {each.strip() for each in request.headers.get("if-none-match", "").split(",")}
    return Response(status_code=304, headers={"etag": tag}) if tag in known else None


def json_reply(value: Any, tag: str | None = None, status: int = 200) -> Response:
    """Strict JSON: what is not finite is null."""
    headers = {"cache-control": "no-store"}
    if tag is not None:
        headers = {"etag": tag, "cache-control": "private, no-cache"}
    body = json_text(plain(value), ensure_ascii=False).encode()
    return Response(body, status, headers, "application/json")


def download(name: str) -> dict[str, str]:
    """The header of a file to be saved; a run may be called anything."""
    plain_name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)
    return {"content-disposition": f'attachment; filename="{plain_name}"'}


def table_reply(rows: list[dict[str, Any]], form: str, name: str, tag: str) -> Response:
    """The rows as a file to be saved; lists become text."""
    import io

    flat = [
        {k: "; ".join(map(str, v)) if isinstance(v, list) else v for k, v in row.items()}
        for row in rows
    ]
    frame, out = Answers(answers=flat).to_polars(), io.BytesIO()
    if form == "csv":
        frame.write_csv(out)
    else:
        frame.write_parquet(out)
    headers = {"etag": tag, **download(f"{name}.{form}")}
    return Response(out.getvalue(), 200, headers, _KINDS[form])


def status_of(error: ParsimonyError) -> int:
    """The HTTP status of an error."""
    own = getattr(error, "status", None)
    if own is not None:
        return int(own)
    if isinstance(error, UnknownEntity | UnknownRelation | UnknownDrug | MissingRun):
        return 404
    if isinstance(error, MissingExtra):
        return 501
    if isinstance(error, UsageError | DataError):
        return 400
    return 507 if isinstance(error, CannotWrite) else 500


def error_reply(error: ParsimonyError) -> Response:
    """The error object that ``--json`` prints; where many ask, when to ask again."""
    reply = json_reply({"error": error.to_dict()}, status=status_of(error))
    if isinstance(error, Busy) and error.again is not None:
        reply.headers["retry-after"] = str(error.again)
    return reply
