"""What the Tab key proposes, asked as a shell asks it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from parsimony import methods


def proposed(*words: str) -> list[str]:
    """Ask as bash does, in a process of its own; the last word is being typed."""
    line = " ".join(["parsimony", *words])
    done = subprocess.run(
        [sys.executable, "-m", "parsimony"],
        env=os.environ | {
            "_PARSIMONY_COMPLETE": "complete_bash", "COMP_WORDS": line,
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ev",), ["evaluate"]),
        (("fit", "roy"), ["royal"]),
        (("fit", "royal", "--task", ""), list(methods.OURS)),
        (("fit", "royal", "--task", "ddi", "--method", "m"), ["mlp"]),
        (
            ("fit", "royal", "--method", "rules", "--set", "min_"),
            ["min_support=", "min_confidence="],
        ),
        (("fit", "royal", "--set", "attention"), ["attention_dim="]),
        (("fit", "x", "--method", "par", "--set", "bad"), ["bad_smiles="]),
        (("methods", "red"), ["redgnn"]),
    ],
)  # fmt: skip
def test_what_is_proposed(words, expected):
    assert proposed(*words) == expected


def test_it_can_be_installed(typed):
    assert "--install-completion" in typed("--help").out
