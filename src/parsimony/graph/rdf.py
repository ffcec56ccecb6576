"""RDF files, read by Oxigraph: N-Triples, Turtle, RDF/XML, and OWL in one of these syntaxes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.parsers import expat

import polars as pl

from parsimony.decoding.lines import MAX_LINE
from parsimony.decoding.magic import refuse_foreign
from parsimony.errors import EncodingError, FormatError, MissingExtra
from parsimony.graph.rescan import Lines

if TYPE_CHECKING:
    from parsimony.graph.names import Names

__all__ = ["RDF_SUFFIXES", "RdfLines", "read_rdf"]

_FORMATS = {
    ".nt": "N_TRIPLES", ".ntriples": "N_TRIPLES", ".ttl": "TURTLE", ".rdf": "RDF_XML",
    ".xml": "RDF_XML", ".owl": "RDF_XML",
}  # fmt: skip
RDF_SUFFIXES = frozenset(_FORMATS)
_XML = re.compile(r"\s*<([?!]|(\w+:)?(RDF|Ontology)\b)")
_GENERATED = re.compile(r"[0-9a-f]{20,32}")  # Oxigraph's label for an unlabelled blank node
_POSITION = re.compile(r"^Parser error at line \d+[^:]*: ")
_ROWS = 1 << 17


class RdfLines(Lines):
    """An RDF file, statement by statement; statements with a literal are counted, not returned.

    Parameters
    ----------
    path : Path

    Raises
    ------
    MissingExtra
        pyoxigraph is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyoxigraph
        except ImportError:
            raise MissingExtra(
                "RDF files need pyoxigraph", remedy="pip install 'parsimony-learning[rdf]'"
            ) from None
        super().__init__(path)
        self._rdf: Any = pyoxigraph
        name = _FORMATS[path.suffix.lower()]
        if path.suffix.lower() == ".owl" and not _XML.match(_head(path)):
            name = "TURTLE"
        self._format = getattr(pyoxigraph.RdfFormat, name)
        self.n_literals = 0

    def triples(self) -> Iterator[tuple[int, tuple[str, str, str]]]:
        """Yield the line on which a statement ends, and its three names."""
        with _open(self.path) as stream:
            lines = _LineByLine(stream)
            try:
                for names in self.statements(lines):
                    yield lines.number, names
            except UnicodeDecodeError as error:
                raise EncodingError(
                    f"byte 0x{error.object[error.start]:02x} is not UTF-8",
                    remedy="convert the file, e.g. iconv -f latin1 -t utf-8",
                    where=f"{self.path}:{lines.number}",
                ) from None
            except FormatError as error:
                error.where = error.where or f"{self.path}:{lines.number}"
                raise

    def statements(self, stream: IO[bytes] | _LineByLine) -> Iterator[tuple[str, str, str]]:
        """Yield subject, predicate and object: IRIs without brackets, blank nodes with ``_:``.

        Unlabelled blank nodes are ``_:[1]``, ``_:[2]`` … in file order.
        """
        node, named = self._rdf.BlankNode, self._rdf.NamedNode
        keep = self._format == self._rdf.RdfFormat.N_TRIPLES  # where all blank nodes are labelled
        numbers: dict[str, int] = {}
        self.n_literals = 0

        def name(term: Any) -> str:
            value: str = term.value
            if isinstance(term, node):
                if not keep and _GENERATED.fullmatch(value):
                    value = f"[{numbers.setdefault(value, len(numbers) + 1)}]"
                return f"_:{value}"
            return value

        try:
            # Lenient: "<anna>" is not an absolute IRI, but a good name.
            for head, relation, tail, _ in self._rdf.parse(stream, self._format, lenient=True):
                if not isinstance(tail, (named, node)):
                    self.n_literals += 1
                    continue
                names = name(head), relation.value, name(tail)
                if max(map(len, names)) > MAX_LINE:
                    raise MemoryError(f"a name of more than {MAX_LINE:,} characters")
                yield names
        except (SyntaxError, MemoryError) as error:  # a term that exceeds Oxigraph's buffer
            reason = _POSITION.sub("", getattr(error, "msg", str(error)))[:200]
            raise FormatError(
                f"not {self._format.name}: {reason}",
                remedy="correct the statement"
                + ("" if keep else "; OWL in another syntax: save it as RDF/XML or Turtle"),
            ) from None


class _LineByLine:
    """Returns one line at a time, so that the parser never reads beyond the current statement."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.number, self._ended = stream, 0, True
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read(self, size: int = -1) -> bytes:
        part = self._stream.readline(size)
        self.number += self._ended and bool(part)
        self._ended = part.endswith(b"\n")
        self._decoder.decode(part, final=not part)
        return part


def read_rdf(path: Path, names: Names, notes: list[str] | None = None) -> pl.DataFrame:
    """Read the statements whose object is not a literal.

    Parameters
    ----------
    path : Path
    names : Names
        Dictionaries shared with other files.
    notes : list of str, optional
        Receives the number of statements with a literal, which are left out.

    Returns
    -------
    polars.DataFrame
        Categorical columns head, relation, tail.

    Raises
    ------
    MissingExtra, FormatError, EncodingError
        ``where`` gives the line.
    """
    head = _head(path)
    lines = RdfLines(path)
    if _XML.match(head):
        _check_xml(path)
    try:
        with _open(path) as stream:
            frame = _frame(lines.statements(stream), names)
    except FormatError:
        for _ in lines.triples():  # slow, but finds the line
            pass
        raise
    if lines.n_literals and notes is not None:
        plural = "s" * (lines.n_literals != 1)
        notes.append(f"{lines.n_literals:,} statement{plural} with a literal left out: no entities")
    return frame


def _frame(rows: Iterable[tuple[str, str, str]], names: Names) -> pl.DataFrame:
    rows, schema = iter(rows), names.schema()
    frames = [pl.DataFrame(schema=schema)]
    while chunk := list(islice(rows, _ROWS)):
        columns = zip(schema, zip(*chunk, strict=True), strict=True)
        frames.append(pl.DataFrame({name: pl.Series(values) for name, values in columns}))
        frames[-1] = frames[-1].cast(schema)  # type: ignore[arg-type]
    return pl.concat(frames)


def _head(path: Path) -> str:
    """Return how a file begins, behind blank lines.

    Raises
    ------
    EncodingError, FormatError
        It is packed, a spreadsheet, or not UTF-8.
    """
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
    refuse_foreign(head[:512], str(path))
    return head.decode("utf-8-sig", "replace").lstrip()


def _open(path: Path) -> IO[bytes]:
    """Open a file and skip its byte-order mark."""
    stream = path.open("rb")
    stream.seek(len(codecs.BOM_UTF8) if stream.read(3) == codecs.BOM_UTF8 else 0)
    return stream


def _check_xml(path: Path) -> None:
    """Refuse XML that is not well-formed, giving the line, or that uses entity expansion."""
    try:
        with path.open("rb") as stream:
            expat.ParserCreate().ParseFile(stream)
    except expat.ExpatError as error:
        raise FormatError(
            f"not well-formed XML: {expat.ErrorString(error.code)}",
            remedy="correct the file",
            where=f"{path}:{error.lineno}",
        ) from None
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        raise EncodingError(
            f"XML in an encoding that cannot be read ({error})",
            remedy="convert the file to UTF-8",
            where=f"{path}:1",
        ) from None
