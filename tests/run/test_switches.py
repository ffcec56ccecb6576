"""A folder that was written before a switch or weight existed goes on with it off."""

from __future__ import annotations

import pytest

from parsimony.errors import UsageError
from parsimony.run.folder import RunFolder


@pytest.mark.parametrize(("now", "same"), [(False, True), (True, False), (0.0, True), (0.1, False)])
def test_a_switch_that_is_new_since_then(tmp_path, now, same):
    with RunFolder.create(tmp_path / "run", {"parameters": {"dim": 8}}):
        pass
    run = RunFolder.open(tmp_path / "run")
    config = {"parameters": {"dim": 8, "relative": now}}
    if same:
        run.require_same(config)
    else:
        with pytest.raises(UsageError, match="relative"):
            run.require_same(config)
