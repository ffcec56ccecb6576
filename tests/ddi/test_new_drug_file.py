"""The file of a new drug: whatever it holds, a drug or a typed error that names file and line."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parsimony.ddi.drug_file import NewDrug, read_new_drug
from parsimony.errors import FormatError, ParsimonyError

VALUES = ["5", "1.5", "nan", "inf", "true", "1979-05-27", "[]", "{}", "[[]]", '"x"', '[""]', "[1]",
          '[{ name = 3 }]', '[{ action = "x" }]', '{ name = "x" }', "9" * 40, "-" + "9" * 5000,
          '"\\ud800"', '"\\u0000"', "[" * 200 + "]" * 200, "'''a\nb'''", '["x", 3]',
          ""]  # fmt: skip
FIELDS = ["name", "smiles", "fingerprint", "facts", "enzymes", "side_effects", "binds", '"a b"']


def read(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    try:
        drug = read_new_drug(path)
    except ParsimonyError as error:
        assert error.remedy and str(path) in str(error.where)
        assert len(error.message) < 1000
        return error
    assert isinstance(drug, NewDrug) and drug.name
    return drug


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_every_type(tmp_path, field, value):
    named = "" if field == "name" else 'name = "x"'
    read(tmp_path / "new.toml", f"{named}\n{field} = {value}\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    st.binary(max_size=200) | st.text(max_size=200) | st.text('[]{}"=,.#\\\nname0x', max_size=80)
)
def test_any_bytes(tmp_path, content):
    read(tmp_path / "new.toml", content)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('name = "x"\n\nsmiles = 5\n', 3),
        ('name = "x"\nenzymes = "CYP3A4"\n', 2),
        ('smiles = "C"\nname = "a\\nb"\n', 2),
        ('name = "x"\n\n[[facts]]\nrelation = "r"\n', 3),
        ('name = "x"\nsmiles = "CC"\nfingerprint = "00"\n', 3),
    ],
)
def test_the_line_is_named(tmp_path, text, line):
    error = read(tmp_path / "new.toml", text)
    assert isinstance(error, FormatError) and error.where.endswith(f"new.toml:{line}")
