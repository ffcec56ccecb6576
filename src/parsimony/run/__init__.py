"""Run folders, checkpoints, progress, seeds, cost."""

from parsimony.run.atomic import write_atomic
from parsimony.run.duration import parse_duration
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

__all__ = ["Progress", "RunFolder", "parse_duration", "rng", "write_atomic"]
