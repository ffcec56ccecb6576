"""The processes of one training, as one of them sees them, and what they send each other.

Messages are JSON and arrays, over torch.distributed (gloo): nothing that is received is executed.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from parsimony.decoding.strict_json import json_text
from parsimony.errors import WorkerLost

__all__ = ["Crew", "how_ended"]

HEADER = 4096  # bytes

Arrays = Mapping[str, npt.NDArray[Any]]


class Crew:
    """The processes of one training, as one of them sees them.

    Parameters
    ----------
    started
        The others, where the first process has started them itself.

    Attributes
    ----------
    rank, size
        The number of this process, 0 the first, and how many there are.
    """

    def __init__(self, started: tuple[subprocess.Popen[bytes], ...] = ()) -> None:
        self.rank, self.size, self.started = dist.get_rank(), dist.get_world_size(), started

    def tell(self, what: str, arrays: Arrays | None = None, **plain: Any) -> None:
        """Tell the others what is to be done; ``plain`` goes as JSON, arrays as they are.

        Raises
        ------
        WorkerLost
            Another process is gone.
        """
        given = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
        form = [[name, array.dtype.str, list(array.shape)] for name, array in given.items()]
        text = json_text({"what": what, "arrays": form, **plain}).encode()
        header = np.zeros(HEADER, np.uint8)
        header[: len(text)] = np.frombuffer(text, np.uint8)
        with self._lost():
            dist.broadcast(torch.from_numpy(header), 0)
            for array in given.values():
                self._broadcast(array if array.flags.writeable else array.copy())

    def hear(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Wait for what the first process tells: its plain part, and the arrays.

        Raises
        ------
        WorkerLost
            The first process is gone.
        """
        header = np.empty(HEADER, np.uint8)
        with self._lost():
            dist.broadcast(torch.from_numpy(header), 0)
            told: dict[str, Any] = json.loads(header.tobytes().rstrip(b"\0"))
            arrays = {}
            for name, dtype, shape in told.pop("arrays"):
                arrays[name] = np.empty(shape, np.dtype(dtype))
                self._broadcast(arrays[name])
        return told, arrays

    @staticmethod
    def _broadcast(array: npt.NDArray[Any]) -> None:
        if array.size:
            dist.broadcast(torch.from_numpy(array.reshape(-1).view(np.uint8)), 0)

    def add_up(self, *arrays: npt.NDArray[Any]) -> None:
        """Add arrays over all processes; the sums are in those of the first.

        Raises
        ------
        WorkerLost
            Another process is gone.
        """
        with self._lost():
            # Started together: the second one does not wait for the first one's way.
            under_way = [dist.reduce(torch.from_numpy(array), 0, async_op=True) for array in arrays]
            for each in under_way:
                each.wait()

    def agree(self, array: npt.NDArray[Any], *, most: bool = False) -> None:
        """Add an array over all processes, or take its largest numbers; all have the result.

        Raises
        ------
        WorkerLost
            Another process is gone.
        """
        with self._lost():
            how = dist.ReduceOp.MAX if most else dist.ReduceOp.SUM
            dist.all_reduce(torch.from_numpy(array), how)

    def swap(
        self, parts: Sequence[npt.NDArray[Any]], rows: Sequence[int]
    ) -> list[npt.NDArray[Any]]:
        """Give every process its part, and return what each of them has for this one.

        Parameters
        ----------
        parts
            Arrays that differ in their number of rows alone, one for every process.
        rows
            How many rows each of the others sends.

        Raises
        ------
        WorkerLost
            Another process is gone.
        """
        sent = np.concatenate(parts)
        found = np.empty((sum(rows), *sent.shape[1:]), sent.dtype)
        with self._lost():
            dist.all_to_all_single(
                torch.from_numpy(found), torch.from_numpy(sent), list(rows), [len(x) for x in parts]
            )
        return np.split(found, np.cumsum(rows)[:-1])

    def send(self, array: npt.NDArray[Any], to: int) -> None:
        """Send an array to one process, which knows its form.

        Raises
        ------
        WorkerLost
            It is gone.
        """
        with self._lost():
            dist.send(torch.from_numpy(np.ascontiguousarray(array)), to)

    def receive(self, array: npt.NDArray[Any], of: int) -> npt.NDArray[Any]:
        """Fill an array with what one process sends.

        Raises
        ------
        WorkerLost
            It is gone.
        """
        with self._lost():
            dist.recv(torch.from_numpy(array), of)
        return array

    @contextmanager
    def _lost(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise self._gone(error) from None

    def _gone(self, error: RuntimeError) -> WorkerLost:
        if self.rank:
            return WorkerLost("the first process of this training has ended")
        time.sleep(0.2)  # the system tells how a process ended after it has closed its connections
        ended = [
            f"worker {number} ended ({how_ended(code)})"
            for number, each in enumerate(self.started, start=1)
            if (code := each.poll()) is not None
        ]
        why = ", ".join(ended) or str(error).splitlines()[0][:200]
        return WorkerLost(
            f"the {self.size} workers of this training have lost each other: {why}",
            remedy="continue from the last checkpoint with --resume, with as many --workers as "
            "there are now",
        )

    def dismiss(self, *, failed: bool = False) -> None:
        """Let the others go."""
        if not failed:
            self.tell("end")
        for each in self.started:
            if failed:
                each.kill()
            each.wait()


def how_ended(code: int) -> str:
    """How a process ended, by its return code."""
    return signal.Signals(-code).name if code < 0 else f"code {code}"
