"""The pages of ``parsimony serve`` in a browser, driven as a person would."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

pytest.importorskip("uvicorn", reason="needs the extra 'web'")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]

RUNS = Path(__file__).parents[1] / "fixtures" / "runs_0_1"
AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
WIDTHS, THEMES = (1280, 768, 390), ("light", "dark")
NAME = "Ernest_II_of_Saxe-Coburg_and_Gotha"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve small runs of all kinds of problem; return the address."""
    raise NotImplementedError
