"""One server for all tests of the interface, on the kept runs of version 0.1."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the web extra is not installed")

RUNS = Path(__file__).resolve().parents[1] / "fixtures" / "runs_0_1"
BASE = "http://127.0.0.1:8765"
SERVED = ("redgnn", "rules", "walks", "tanimoto", "means", "complex")


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    import warnings

    from parsimony.web.served import Service
    from parsimony.web.waiting import Limits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # names of old runs
        return Service(
            [RUNS / name for name in SERVED], edits=tmp_path_factory.mktemp("edits"),
            limits=Limits(quick=900.0, long=900.0),  # a busy machine that compiles meanwhile
        )  # fmt: skip


@pytest.fixture(scope="session")
def client(service):
    from fastapi.testclient import TestClient

    from parsimony.web.app import create_app

    with TestClient(create_app(service), base_url=BASE, raise_server_exceptions=False) as found:
        yield found


@pytest.fixture
def ask(client):
    """Ask and return the JSON; any status but that expected fails."""

    def asked(path, body=None, status=200, **query):
        address = f"/api/v1/{path}"
        reply = (
            client.get(address, params=query) if body is None else client.post(address, json=body)
        )
        assert reply.status_code == status, reply.text
        return reply.json()

    return asked
