"""The Wilson score interval of a proportion.

Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA
1927. Unlike p ± 1.96 √(p(1 - p)/n) it holds for few trials and for proportions near 0 and 1.
"""

from __future__ import annotations

import math

__all__ = ["wilson_interval"]

_Z = 1.959964  # 95 %


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a proportion; (0, 1) for no trials."""
    if not trials:
        return 0.0, 1.0
    share, z2 = successes / trials, _Z**2 / trials
    centre = (share + z2 / 2) / (1 + z2)
    half = _Z * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials)) / (1 + z2)
    # Exact at the ends, where rounding would leave 1 - 1e-17.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return low, 1.0 if successes == trials else min(1.0, centre + half)
