"""One stray quote in a name: refused with its line and a remedy that works."""

from __future__ import annotations

import pytest

from parsimony.errors import FormatError
from parsimony.graph import read_triples

ROWS = 'head,relation,tail\na,r,b\nx,r,5" pipe\ny,r,z\nz,r,w\n'


def test_the_line_is_named_and_the_remedy_works(tmp_path):
    path = tmp_path / "facts.csv"
    path.write_text(ROWS)
    with pytest.raises(FormatError) as caught:
        read_triples(path)
    assert caught.value.where == f"{path}:3"
    assert "stray quote in '5\" pipe'" in caught.value.message
    assert caught.value.remedy == "double every quote inside the cell and put the cell in quotes"
    path.write_text(ROWS.replace('5" pipe', '"5"" pipe"'))
    assert read_triples(path)["tail"].to_list() == ["b", '5" pipe', "z", "w"]


@pytest.mark.parametrize(
    ("cell", "line"), [('"pipe', 3), ('"5" pipe', 3), ('"pipe\nover" lines', 3), ('pi"pe', 3)]
)
def test_other_places_of_a_quote(tmp_path, cell, line):
    path = tmp_path / "facts.csv"
    path.write_text(ROWS.replace('5" pipe', cell))
    with pytest.raises(FormatError) as caught:
        read_triples(path)
    assert caught.value.where == f"{path}:{line}"
    assert "quotes" in caught.value.remedy


def test_a_tab_separated_file_has_no_quoting(tmp_path):
    path = tmp_path / "facts.tsv"
    path.write_text(ROWS.replace(",", "\t"))
    assert read_triples(path)["tail"].to_list()[1] == '5" pipe'
