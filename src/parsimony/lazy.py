"""Lazy imports: the public names of a package are imported on first use.

NumPy, torch, Numba and Polars together take seconds to import; listing a package's public names
costs nothing until one of them is used.
"""

from __future__ import annotations

from importlib import import_module

# As in typing, whose import would keep the command line from hearing Ctrl-C for a while.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["lazy"]


def lazy(package: str, home: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package.

    Parameters
    ----------
    package
        Its ``__name__``.
    home
        Public name → the module that defines it, relative to the package as in an import; "" if
        the name is itself a module.
    """

    def getattribute(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if not home[name]:
            return import_module(f"{package}.{name}")
        return getattr(import_module(f".{home[name]}", package), name)

    return getattribute
