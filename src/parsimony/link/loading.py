"""Link-prediction data by name, from a folder or from a single file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from parsimony.datasets import registry
from parsimony.datasets.loading import locate
from parsimony.decoding.files import check_file
from parsimony.errors import MissingFile, UnknownDataset
from parsimony.graph.rdf import RDF_SUFFIXES
from parsimony.link.data import LinkData
from parsimony.link.folder import load_folder, split_files
from parsimony.link.single_file import load_file
from parsimony.store.opening import is_store

__all__ = ["is_graph", "load"]


def is_graph(name_or_path: str) -> bool:
    """Whether a name or path says by itself that it is a graph of facts.

    A folder of splits may hold another kind of table; :func:`parsimony.problems.kind_of` looks.
    """
    if name_or_path in registry.names():
        return name_or_path in registry.names("link")
    path = Path(os.path.expanduser(name_or_path))
    if path.suffix.lower() in RDF_SUFFIXES or is_store(path):
        return True
    return bool(split_files(path, "train"))


def load(
    name_or_path: str | os.PathLike[str],
    *,
    mirror: str | os.PathLike[str] | None = None,
    columns: tuple[str, str, str] | None = None,
    seed: int = 0,
) -> LinkData:
    """Load a link-prediction dataset.

    Parameters
    ----------
    name_or_path : str or path
        A registered name (searched in the folders of ``PARSIMONY_DATA``, then ``mirror`` or
        ``PARSIMONY_MIRROR``, then the user's cache, then the embedded sets), a dataset folder,
        a graph store (:mod:`parsimony.store`), or a single TSV, CSV, Parquet or RDF file.
    mirror : str or path, optional
        A folder or web address with a ``manifest.json``.
    columns : tuple of str, optional
        Header names, or numbers from 1, of head, relation and tail in the files.
    seed : int
        Splits a single file 80/10/10.

    Returns
    -------
    LinkData

    Raises
    ------
    UnknownDataset
        Neither a name nor a path; the closest name is suggested.
    InvalidParameter
        A registered dataset of another kind.
    MissingFile
        A registered name that none of the places holds.
    DataError
        Any other way in which the data are wrong; ``where`` names file and line.
    """
    text = os.fspath(name_or_path)
    if text in registry.names():
        return _registered(text, mirror)
    path = Path(os.path.expanduser(text))
    if is_store(path):
        return LinkData.of_store(path)
    if path.is_dir():
        return load_folder(path, columns=columns)
    if os.path.lexists(path):
        return load_file(check_file(path), columns=columns, seed=seed)
    try:
        folder, source = locate(text, mirror=mirror)  # a mirror may hold more than the register
    except UnknownDataset:
        if os.sep in text or path.suffix:
            check_file(path)
        raise
    return load_folder(folder, name=text, source=source)


def _registered(name: str, mirror: str | os.PathLike[str] | None) -> LinkData:
    item = registry.entry(name, "link")
    try:
        folder, source = locate(name, mirror=mirror)
    except MissingFile:
        # A folder of that name in the working directory serves as well, but comes last.
        if not Path(name).is_dir():
            raise
        return load_folder(name)
    data = load_folder(folder, name=name, source=f"{source}; licence: {item.licence}")
    return replace(data, registered=True)
