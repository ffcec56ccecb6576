"""Small dataset folders, archives and mirrors, written for the tests."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

TRAIN = [("anna", "knows", "bert"), ("bert", "knows", "cleo"), ("cleo", "likes", "anna")]
VALID = [("anna", "knows", "cleo")]
TEST = [("bert", "likes", "cleo")]


def write_rows(path: Path, rows, separator: str = "\t") -> Path:
    path.write_text("".join(separator.join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_folder(folder: Path, train=TRAIN, valid=VALID, test=TEST, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in (("train", train), ("valid", valid), ("test", test)):
        write_rows(folder / f"{split}.txt", rows)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


def tar_bytes(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """Pack members; a TarInfo stands for itself, so that links and odd names can be made."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def folder_members(top: str) -> dict[str, bytes]:
    splits = {"train": TRAIN, "valid": VALID, "test": TEST}
    return {
        f"{top}/{split}.txt": "".join("\t".join(row) + "\n" for row in rows).encode()
        for split, rows in splits.items()
    }


def write_mirror(folder: Path, archives: dict[str, bytes], **changes) -> Path:
    """Write archives and the manifest that promises them; ``changes`` overwrite its entries."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for file, content in archives.items():
        (folder / file).write_bytes(content)
        entry = {
            "name": file.split(".")[0].removeprefix("kg_"),
            "file": file,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "licence": "CC0",
        }
        entries.append({**entry, **changes})
    (folder / "manifest.json").write_text(json.dumps({"datasets": entries}))
    return folder
