"""Options of a task, given by ``--set`` beside the parameters of the method."""

from __future__ import annotations

from typing import Any, Self

from pydantic import ValidationError

from parsimony.base import Parameters
from parsimony.errors import InvalidParameter

__all__ = ["TaskOptions"]


class TaskOptions(Parameters):
    """Declared options: types, limits, defaults and help in one place."""

    @classmethod
    def of(cls, settings: dict[str, Any]) -> Self:
        """Take the task's options out of ``--set`` values; the rest is the method's.

        Raises
        ------
        InvalidParameter
            A value outside its limits.
        """
        own = {name: value for name, value in settings.items() if name in cls.model_fields}
        try:
            return cls(**own)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            raise InvalidParameter(
                f"the {name!r} option of the task is not valid: {first['msg']}. "
                f"Got {first['input']!r}",
                remedy=cls.model_fields[name].description or "",
            ) from None
