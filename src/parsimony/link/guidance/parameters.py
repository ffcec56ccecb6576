"""What can be set of a method with a book around it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from parsimony import base
from parsimony.link.blend import Member
from parsimony.link.guidance.applied import Use
from parsimony.link.guidance.entries import SURE

__all__ = ["GuidedParameters"]


class GuidedParameters(base.Parameters):
    """Parameters of a method with a book around it."""

    member: Member = Field(
        {"method": "redgnn"}, description='the method with its parameters: {"method": "redgnn", …}'
    )
    knowledge_as: tuple[Use, ...] | None = Field(
        None, min_length=1,
        description="uses of the book: facts, prior, mask, restriction, loss; default: the first "
        "three, as far as it has entries for them",
    )  # fmt: skip
    sure: float = Field(
        SURE,
        ge=0,
        le=1,
        description="least confidence of a counted entry that infers facts or masks, in [0, 1]",
    )
    protocol: Literal["redgnn", "grail"] = Field("redgnn", description="inductive protocol")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the member and of samples, ≥ 0")

    @field_validator("knowledge_as", mode="before")
    @classmethod
    def _words(cls, given: Any) -> Any:
        """Take "mask,facts" as well."""
        return [word.strip() for word in given.split(",")] if isinstance(given, str) else given
