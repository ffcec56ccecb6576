"""What torchrun, or another launcher, has told this process: nothing heavy is imported here."""

from __future__ import annotations

import os

__all__ = ["even_threads", "launched", "rank_here"]

_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_MOST = 64  # threads of a batch


def launched() -> int:
    """How many processes a launcher has started; 0: none, or one alone."""
    if any(not os.environ.get(name) for name in _VARIABLES):
        return 0
    size = os.environ["WORLD_SIZE"]
    return int(size) if size.isdigit() and int(size) > 1 else 0


def rank_here() -> int:
    """The number of this process among those of a launcher, 0 the first or only one."""
    return int(os.environ["RANK"]) if launched() else 0


def even_threads(workers: int) -> int:
    """Threads of all workers together, where each machine's cores are shared by those on it."""
    from parsimony.run.cost import own_cores  # the command line asks this module on every start

    here = int(os.environ.get("LOCAL_WORLD_SIZE", workers)) if launched() else workers
    return min(workers * max(own_cores() // here, 1), _MOST)
