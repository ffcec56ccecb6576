"""``python -m parsimony.training.worker MODULE:CLASS FILE RANK SIZE``: one that ``fit`` starts."""

from __future__ import annotations

import sys
from importlib import import_module

from parsimony.errors import ParsimonyError
from parsimony.run.progress import say
from parsimony.training.workers import file_store, meet, serve

__all__ = ["main"]


def main(home: str, place: str, rank: str, size: str) -> int:
    """Meet the process that started this one, and work for it; returns the exit code."""
    store = file_store(place, int(size))
    store.set(f"worker {rank}", "there")
    module, _, name = home.partition(":")
    try:
        meet(store, int(rank), int(size))
        serve(getattr(import_module(module), name).work)
    except ParsimonyError as error:
        say(f"error: worker {rank}: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
