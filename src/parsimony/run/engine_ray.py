"""Jobs on a Ray cluster: one per CPU at a time; jobs of lost workers are retried."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from parsimony.errors import MissingExtra, UsageError

__all__ = ["RayEngine"]

_RETRIES = 5  # of a job whose worker or node died
_PATIENCE = 10.0  # seconds to wait for a connection to a cluster


class RayEngine:
    """See :class:`parsimony.run.engine.Engine`.

    Parameters
    ----------
    address
        Of a running cluster (``auto``, ``host:port``, ``ray://host:port``); None starts Ray here,
        for this machine alone, or uses the cluster that this process is connected to.

    Raises
    ------
    MissingExtra
        Ray is not installed.
    UsageError
        No cluster answers at the address.
    """

    def __init__(self, address: str | None = None) -> None:
        if address is None:
            _require_token()
        try:
            import ray
        except ImportError:
            raise MissingExtra(
                "the engine ray needs Ray", remedy="pip install 'parsimony-learning[dist]'"
            ) from None
        self._ray: Any = ray
        self._function: Callable[..., Any] | None = None
        self._shared: Any = None
        self._started = not ray.is_initialized()
        if self._started:
            _require_listener(address)
            try:
                with contextlib.nullcontext() if address else _on_loopback(ray):
                    ray.init(
                        address=address or "local", include_dashboard=False, log_to_driver=False,
                        logging_level=logging.ERROR, configure_logging=False,
                    )  # fmt: skip
            except Exception as error:  # Ray raises bare Exceptions
                raise _no_cluster(address, error) from None

    def run(
        self,
        function: Callable[..., Any],
        jobs: Sequence[Mapping[str, Any]],
        go_on: Callable[[], bool],
    ) -> Iterator[tuple[int, Any]]:
        """See :class:`parsimony.run.engine.Engine`."""
        ray = self._ray
        remote = ray.remote(max_retries=_RETRIES, num_cpus=1)(_call)
        if self._function is not function:  # it may carry data: once for all calls and jobs
            self._function, self._shared = function, ray.put(function)
        shared = self._shared
        waiting = list(enumerate(jobs))
        running: dict[Any, int] = {}
        while waiting or running:
            while waiting and len(running) < self.slots:
                if not go_on():
                    waiting.clear()
                    break
                number, job = waiting.pop(0)
                running[remote.remote(shared, dict(job))] = number
            if not running:
                return
            # With a timeout, because the cluster may have grown in the meantime.
            done, _ = ray.wait(list(running), num_returns=1, timeout=5.0)
            for reference in done:
                number = running.pop(reference)
                yield number, ray.get(reference)

    @property
    def slots(self) -> int:
        """How many processors the cluster has now."""
        resources: dict[str, float] = self._ray.cluster_resources()
        return max(1, int(resources.get("CPU", 1)))

    def close(self) -> None:
        """Disconnect from the cluster; stop it if this engine started it."""
        if self._started:
            self._ray.shutdown()


def _require_token() -> None:
    """Let a cluster started here ask for a token: others may work on this machine, too.

    Ray reads the setting when it is first imported. A process that has imported it before has
    chosen its own.
    """
    if "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@contextlib.contextmanager
def _on_loopback(ray: Any) -> Iterator[None]:
    """Let Ray's servers listen on the loopback address: else the whole network can reach them.

    Ray replaces a ``_node_ip_address`` of 127.0.0.1 by a reachable one; this is the switch by which
    it stays on the loopback address on macOS and Windows.
    """
    constants = ray._private.ray_constants
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


def _call(function: Callable[..., Any], job: dict[str, Any]) -> Any:
    return function(**job)


def _require_listener(address: str | None) -> None:
    """Check that ``host:port`` is reachable first: Ray itself retries for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
        except (OSError, OverflowError) as error:
            raise _no_cluster(address, error) from None


def _no_cluster(address: str | None, error: Exception) -> UsageError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if address is None:
        return UsageError(f"Ray did not start here: {first}", remedy="try again, or --engine local")
    return UsageError(
        f"no Ray cluster answers at {address!r}: {first}",
        remedy="start one with `ray start --head`, or leave --address out",
    )
