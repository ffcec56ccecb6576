"""Declared parameters: of methods, and the options of tasks."""

from __future__ import annotations

import inspect
import types
import warnings
from collections.abc import Callable, Mapping
from typing import (
    Annotated,
    Any,
    Concatenate,
    Literal,
    ParamSpec,
    Self,
    Union,
    cast,
    get_args,
    get_origin,
)

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from parsimony.base.ranges import Tuned
from parsimony.errors import InvalidParameter, UnknownParameter, suggest
from parsimony.run.renamed import present_name, renamed

__all__ = ["Parameters", "TaskOptions", "constructor"]

P = ParamSpec("P")
_TYPES = {bool: "true or false", int: "whole number", float: "number", str: "text"}
_LIMITS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}",
           "multiple_of": "a multiple of {}", "min_length": "at least {} of them"}  # fmt: skip


class Parameters(BaseModel):
    """Declared parameters: types, limits, defaults and help in one place."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def described(cls) -> list[dict[str, Any]]:
        """Return name, type, default, range and help of every parameter, as it is declared.

        ``tuned`` is what :meth:`tunable` says of it, "" where it is not tuned.
        """
        tried = cls.tunable()
        return [
            {
                "name": name,
                "type": _type_text(field.annotation),
                "default": field.get_default(call_default_factory=True, validated_data={}),
                "range": _range_text(field),
                "help": field.description or "",
                "tuned": str(tried.get(name, "")),
            }
            for name, field in cls.model_fields.items()
        ]

    @classmethod
    def tunable(cls) -> dict[str, Tuned]:
        """Return what ``parsimony tune`` tries, for the parameters that are marked."""
        marks = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        found: dict[str, Tuned] = {}
        for name, mark in marks.items():
            if isinstance(mark, dict) and isinstance(how := mark.get("tuned"), dict):
                ends: dict[str, Any] = {**how}
                ends["choices"] = tuple(ends.get("choices", ()))
                found[name] = Tuned(**ends)
        return found

    @classmethod
    def of(cls, values: Mapping[str, Any], owner: str, noun: str = "parameter") -> Self:
        """Validate values by name; names that have been replaced are accepted with a warning.

        Parameters
        ----------
        values
            By name.
        owner, noun
            What the message calls their owner ("RedGNN") and them.

        Raises
        ------
        UnknownParameter
            A name that is not declared, with the nearest one that is.
        InvalidParameter
            A value outside the declared limits.
        """
        fields = cls.model_fields
        for name in values:
            present = present_name(name, fields)
            if present not in fields:
                near = suggest(name, fields)
                raise UnknownParameter(
                    f"{owner} has no {noun} {name!r}",
                    remedy=f"{near} " * bool(near) + f"{noun}s: {', '.join(fields)}",
                )
            if present != name:
                warnings.warn(f"{noun} {name!r} is now called {present!r}", FutureWarning, 2)
        try:
            return cls(**renamed(values, fields))
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else "?"
            raise InvalidParameter(
                f"the {name!r} {noun} of {owner} is not valid: {first['msg']}. "
                f"Got {first['input']!r}",
                remedy=fields[name].description or "" if name in fields else "",
            ) from None


class TaskOptions(Parameters):
    """Options of a task, which ``--set`` mixes with the parameters of the method."""

    @classmethod
    def has(cls, name: str) -> bool:
        """Whether a setting is one of the task's options, by its present or an earlier name."""
        return present_name(name, cls.model_fields) in cls.model_fields

    @classmethod
    def taken_from(cls, settings: Mapping[str, Any]) -> Self:
        """Take the task's options out of ``--set`` values; the rest is the method's.

        Raises
        ------
        InvalidParameter
            A value outside its limits.
        """
        own = {name: value for name, value in settings.items() if cls.has(name)}
        return cls.of(own, "the task", "option")


def constructor(parameters: Callable[P, Parameters]) -> Callable[Concatenate[Any, P], None]:
    """Make the ``__init__`` of a method: the fields of its ``Parameters`` as keywords.

    ``__init__ = constructor(RedGNNParameters)`` lets an editor and ``inspect.signature`` show them.
    """

    def __init__(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> None:
        self.parameters = self._validate(kwargs)

    __init__.__signature__ = _signature(cast(type[Parameters], parameters))  # type: ignore[attr-defined]
    return __init__


def _signature(parameters: type[Parameters]) -> inspect.Signature:
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    fields = inspect.signature(parameters).parameters.values()
    return inspect.Signature([own, *fields], return_annotation=None)


def _type_text(annotation: Any) -> str:
    """Say what a value must be; whether it may be left out stands in its default."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_text(parts[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type_text(part) for part in parts if part is not type(None))
    if origin is Literal:
        return " | ".join(map(str, parts))
    if origin is tuple:
        given = [_type_text(part) for part in parts if part is not Ellipsis]
        return f"list: [{', '.join(given)}{', …' * (Ellipsis in parts)}]"
    return _TYPES.get(annotation, "table")


def _range_text(field: FieldInfo) -> str:
    """Return the declared limits."""
    limits = {name: getattr(limit, name) for limit in field.metadata for name in _LIMITS
              if getattr(limit, name, None) is not None}  # fmt: skip
    return ", ".join(text.format(limits[name]) for name, text in _LIMITS.items() if name in limits)
