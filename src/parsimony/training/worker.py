"""``python -m parsimony.training.worker METHOD FILE RANK SIZE``: one that ``--workers`` starts."""

from __future__ import annotations

import sys

from parsimony.errors import ParsimonyError
from parsimony.training.workers import file_store, meet, serve

__all__ = ["main"]


def main(method: str, place: str, rank: str, size: str) -> int:
    """Meet the process that started this one, and work for it; returns the exit code."""
    store = file_store(place, int(size))
    store.set(f"worker {rank}", "there")
    try:
        meet(store, int(rank), int(size))
        serve(method)
    except ParsimonyError as error:
        print(f"error: worker {rank}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
