"""Another edition in the cache never takes the place of the registered bytes.

The parts of it are tested in tests/datasets/test_mirror.py.
"""

from __future__ import annotations

import json

import pytest
from tests.datasets.dataset_files import folder_members, tar_bytes, write_mirror
from typer.testing import CliRunner

from parsimony.cli import app

pytestmark = pytest.mark.usefixtures("cache")


def audit(*words):
    result = CliRunner().invoke(app, ["audit", "umls", *map(str, words), "--json", "--quiet"])
    return json.loads(result.stdout)


@pytest.mark.data
def test_the_registered_edition_is_read_again_after_another(real_data, tmp_path):
    other = write_mirror(tmp_path / "mirror", {"kg_umls.tar.gz": tar_bytes(folder_members("umls"))})
    assert audit("--mirror", real_data)["counts"]["entities"] == 135
    assert audit("--mirror", other)["counts"]["entities"] == 3
    assert audit()["counts"]["entities"] == 135


def test_where_only_another_edition_is_there_it_has_to_be_named(tmp_path):
    other = write_mirror(tmp_path / "mirror", {"kg_umls.tar.gz": tar_bytes(folder_members("umls"))})
    assert "error" not in audit("--mirror", other)
    error = audit()["error"]
    assert "another edition" in error["message"]
    assert error["remedy"].endswith(f"--mirror {other}")
