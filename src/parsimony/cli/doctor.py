"""``parsimony doctor``: check the installation."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from parsimony.cli.command_group import Output
from parsimony.cli.options import Json, Quiet, Seed
from parsimony.version import __version__

_CORE = ("numpy", "scipy", "torch", "numba", "polars", "pydantic", "typer", "rich", "safetensors")
_EXTRAS = {
    "chem": ("rdkit",),
    "dist": ("ray",),
    "calib": ("scikit-learn",),
    "rdf": ("pyoxigraph",),
    "bench": ("pykeen", "torch-geometric"),
}


def command(as_json: Json = False, seed: Seed = 0, quiet: Quiet = False) -> None:
    """Check the installation: versions, kernels, devices, datasets."""
    report = {
        "parsimony": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _installed(name) for name in _CORE},
        "threads": _threads(),
        "kernels": _kernels(),
        "products": _products(),
        "cache": _cache(),
        "data": _data(),
        "extras": {
            extra: {
                "installed": all(_installed(name) for name in names),
                "install": f"pip install 'parsimony-learning[{extra}]'",
            }
            for extra, names in _EXTRAS.items()
        },
    }
    Output(as_json, quiet).result(report, _readable(report))


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _threads() -> dict[str, Any]:
    import numba
    import torch

    from parsimony.run.cost import usable_cores

    return {
        "cores": os.cpu_count(),
        "usable": usable_cores(),
        "torch": torch.get_num_threads(),
        "numba": numba.get_num_threads(),
    }


def _kernels() -> dict[str, Any]:
    """Return which form of the kernels is active, and the result of a small check."""
    import numba
    import torch
    from llvmlite import binding

    interpreted = bool(getattr(numba.config, "DISABLE_JIT", False))
    return {
        "cpu": "interpreted (NUMBA_DISABLE_JIT is set: slow)" if interpreted else "numba",
        "cuda": _on_cuda() if torch.cuda.is_available() else None,
        "processor": binding.get_host_cpu_name(),
        "check": _check_kernel(),
    }


def _on_cuda() -> str:
    """What computes on the accelerator."""
    from parsimony.kernels.triton import active

    return "torch, the relational sum by triton" if active("cuda") else "torch"


def _products() -> dict[str, Any]:
    """Return the form of small products and of large ones, and what was measured of each."""
    from parsimony.kernels.products import VARIABLE, measured

    found = measured()
    fixed = os.environ.get(VARIABLE) or None
    return {"small": found.small, "large": found.large, "rates": found.rates, VARIABLE: fixed}


def _check_kernel() -> str:
    import numpy as np

    from parsimony.graph import KnowledgeGraph
    from parsimony.kernels.redgnn.frontier import Scratch, expand, start

    chain = np.array([[0, 0, 1], [1, 0, 2]], np.int32)
    graph = KnowledgeGraph(chain, 3, 1)
    frontier, row_query = start(np.array([0], np.int32), np.array([0], np.int32), share=False)
    reached = []
    for _ in range(2):
        step = expand(graph.digraph[:3], 1, frontier, row_query, Scratch(3), collapse=False)
        frontier, row_query = step.frontier, step.query
        reached.append(sorted(frontier.node.tolist()))
    return "passed" if reached == [[0, 1], [0, 1, 2]] else f"FAILED: reached {reached}"


def _cache() -> str:
    from parsimony.datasets.archive import cache_folder

    return str(cache_folder())


def _data() -> dict[str, Any]:
    """Return where registered datasets are looked up."""
    folders = [part for part in os.environ.get("PARSIMONY_DATA", "").split(os.pathsep) if part]
    result: dict[str, Any] = {
        "PARSIMONY_DATA": [
            {"folder": folder, "found": Path(os.path.expanduser(folder)).is_dir()}
            for folder in folders
        ],
        "PARSIMONY_MIRROR": os.environ.get("PARSIMONY_MIRROR"),
        "available": None,
    }
    if all(place["found"] for place in result["PARSIMONY_DATA"]):
        from parsimony import datasets

        result["available"] = [n for n in datasets.names() if datasets.info(n)["available"]]
    return result


def _readable(report: dict[str, Any]) -> str:
    threads, kernels, data = report["threads"], report["kernels"], report["data"]
    packages = ", ".join(f"{k} {v or 'MISSING'}" for k, v in report["packages"].items())
    folders = ", ".join(
        f"{p['folder']} ({'found' if p['found'] else 'NOT FOUND'})" for p in data["PARSIMONY_DATA"]
    )
    available = data["available"]
    lines = [
        f"parsimony  {report['parsimony']} on Python {report['python']} ({sys.executable})",
        f"platform   {report['platform']}",
        f"packages   {packages}",
        f"threads    {threads['usable']} of {threads['cores']} cores usable, "
        f"torch {threads['torch']}, numba {threads['numba']}",
        f"kernels    {kernels['cpu']} for {kernels['processor']}, check {kernels['check']}; "
        f"cuda: {kernels['cuda'] or 'none'}",
        f"products   {_of_products(report['products'])}",
        f"cache      {report['cache']}",
        f"data       PARSIMONY_DATA: {folders or 'not set'}; "
        f"PARSIMONY_MIRROR: {data['PARSIMONY_MIRROR'] or 'not set'}",
        f"datasets   {', '.join(available) if available is not None else '–'}",
        "extras",
    ]
    for name, extra in report["extras"].items():
        state = "installed" if extra["installed"] else extra["install"]
        lines.append(f"  {name:<8} {state}")
    return "\n".join(lines)


def _of_products(found: dict[str, Any]) -> str:
    """The form of every size, and the rates by which it was chosen."""
    if not found["rates"]:
        return f"small {found['small']}, large {found['large']} (fixed by PARSIMONY_PRODUCTS)"
    parts = [
        f"{size} {found[size]} ("
        + ", ".join(f"{name} {rate:.0f}" for name, rate in found["rates"][size].items())
        + ")"
        for size in ("small", "large")
    ]
    return ", ".join(parts) + " · 10⁹ operations a second"
