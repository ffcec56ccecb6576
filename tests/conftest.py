"""Processes that tests start find the package, whether it is installed or not."""

from __future__ import annotations

import os
from pathlib import Path

SOURCE = str(Path(__file__).parents[1] / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(
    [SOURCE, *filter(None, [os.environ.get("PYTHONPATH", "")])]
)
