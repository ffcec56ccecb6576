"""Ranking, classification and rating metrics, calibration and confidence intervals."""

from parsimony.metrics.bootstrap import bootstrap_interval
from parsimony.metrics.ranking import Ranks, ranking_metrics

__all__ = ["Ranks", "bootstrap_interval", "ranking_metrics"]
