"""Ranks, confidence intervals and the bill."""

from parsimony.measure.bootstrap import bootstrap_interval
from parsimony.measure.ledger import Ledger
from parsimony.measure.ranking import Ranks, ranking_metrics

__all__ = ["Ledger", "Ranks", "bootstrap_interval", "ranking_metrics"]
