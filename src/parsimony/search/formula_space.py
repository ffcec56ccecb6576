"""The space of modulation formulas: 16 operator sets at each of four positions (ColdNAS)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from parsimony.knowledge.formula import OPERATORS, POSITIONS, Formula

__all__ = ["N_STRUCTURES", "ModulationSpace"]

_GATES = POSITIONS * len(OPERATORS)
N_STRUCTURES = 1 << _GATES


class ModulationSpace:
    """Formulas; see :class:`parsimony.search.space.Space`. Every one of 65,536 is valid."""

    name = "modulation"
    max_size = _GATES

    def start(self) -> list[Formula]:
        """Return the hand-made formulas."""
        return list(self.named().values())

    def named(self) -> Mapping[str, Formula]:
        """Return FiLM, gate, shift, clip and none."""
        return Formula.named()

    def sample(self, random: np.random.Generator) -> Formula:
        """Draw any formula, each as likely as any other."""
        return Formula.from_bits(int(random.integers(N_STRUCTURES)))

    def grow(self, structure: Formula, random: np.random.Generator) -> Formula:
        """Add one operator where there is none."""
        free = [bit for bit in range(_GATES) if not structure.bits >> bit & 1]
        if not free:
            return structure
        return Formula.from_bits(structure.bits | 1 << free[random.integers(len(free))])

    def mutate(self, structure: Formula, random: np.random.Generator) -> Formula:
        """Turn each operator on or off with probability 2/16, one at least."""
        marked = random.random(_GATES) < 2 / _GATES
        marked[random.integers(_GATES)] |= not marked.any()
        return Formula.from_bits(structure.bits ^ _number(marked))

    def crossover(self, first: Formula, second: Formula, random: np.random.Generator) -> Formula:
        """Take each position from either parent."""
        mine = random.random(POSITIONS) < 0.5
        pairs = zip(mine, first.positions, second.positions, strict=True)
        return Formula(tuple(a if own else b for own, a, b in pairs))

    def size(self, structure: Formula) -> int:
        """Return the number of operators."""
        return structure.n_operators

    def enumerate(self, max_size: int) -> Iterator[Formula]:
        """Yield every formula of at most so many operators: by their number, then by bits."""
        order = sorted(range(N_STRUCTURES), key=lambda bits: (bits.bit_count(), bits))
        for bits in order:
            if bits.bit_count() > max_size:
                return
            yield Formula.from_bits(bits)

    def keys(self, structures: Sequence[Formula]) -> list[str]:
        """Return the texts: each formula is an orbit of its own."""
        return [str(formula) for formula in structures]

    def valid(self, structures: Sequence[Formula]) -> npt.NDArray[np.bool_]:
        """Return True for each: the theorem leaves no redundant formula."""
        return np.ones(len(structures), np.bool_)

    def features(self, structures: Sequence[Formula]) -> npt.NDArray[np.float64]:
        """The gates, operators per position, and positions per operator, (n, 24)."""
        gates = np.array([f.gates() for f in structures], np.float64)
        gates = gates.reshape(-1, POSITIONS, len(OPERATORS))
        flat = gates.reshape(len(gates), -1)
        return np.concatenate([flat, gates.sum(2), gates.sum(1)], axis=1)

    def text(self, structure: Formula) -> str:
        """Print a formula in one line."""
        return str(structure)

    def parse(self, text: str) -> Formula:
        """Read it back."""
        return Formula.parse(text)


def _number(gates: npt.NDArray[np.bool_]) -> int:
    return int(gates @ (1 << np.arange(len(gates))))
