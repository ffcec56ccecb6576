"""Names from mirrors: local folders and a web server, verified, unpacked once, atomically."""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import json
import os
import shutil
import tarfile
import threading

import pytest
from tests.datasets.dataset_files import folder_members, tar_bytes, write_folder, write_mirror

from parsimony import datasets
from parsimony.datasets import archive, mirror, transfer
from parsimony.errors import (
    ChecksumMismatch,
    CorruptArchive,
    DownloadError,
    FormatError,
    InvalidParameter,
    MissingFile,
    UnknownDataset,
)

pytestmark = pytest.mark.usefixtures("cache")

UMLS = {"kg_umls.tar.gz": tar_bytes(folder_members("umls"))}


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.seen.append(self.path)
        if self.server.redirect:
            self.send_response(302)
            self.send_header("Location", self.server.redirect)
            self.end_headers()
            return
        if self.server.trickles:
            with contextlib.suppress(OSError):  # nobody listens any more
                for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000:
                    self.wfile.write(bytes([byte]))
                    if self.server.over.wait(0.1):
                        return
        if self.path.endswith(".gz") and self.server.breaks > 0:
            self.server.breaks -= 1
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half of it")
            return
        super().do_GET()


@pytest.fixture
def web(tmp_path):
    """Serve ``tmp_path / "www"`` on a free local port."""
    (tmp_path / "www").mkdir()
    handler = functools.partial(Handler, directory=str(tmp_path / "www"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.seen, server.breaks = [], 0
    server.redirect, server.trickles, server.over = "", False, threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.address = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def leftovers(cache):
    return [p for p in cache.rglob("*") if p.name.startswith(".") and p.name != ".parsimony.json"]


def test_a_folder_mirror_is_unpacked_once(tmp_path, cache):
    mirror = write_mirror(tmp_path / "mirror", UMLS)
    data = datasets.load("umls", mirror=mirror)
    assert data.name == "umls"
    assert "not the registered edition" in data.source
    assert "licence" in data.source
    (unpacked,) = (cache / "datasets").iterdir()
    record = json.loads((unpacked / ".parsimony.json").read_text())
    assert record["file"] == "kg_umls.tar.gz"
    assert record["licence"] == "CC0"
    (mirror / "kg_umls.tar.gz").unlink()
    assert datasets.load("umls", mirror=mirror).content_hash == data.content_hash
    assert not leftovers(cache)


def test_another_edition_serves_only_where_it_is_named(tmp_path, cache, monkeypatch):
    mirror = write_mirror(tmp_path / "mirror", UMLS)
    datasets.load("umls", mirror=mirror)
    with pytest.raises(MissingFile, match="another edition") as caught:
        datasets.load("umls")
    assert caught.value.remedy.endswith(f"--mirror {mirror}")
    assert datasets.info("umls")["available"] is None


def test_the_registered_bytes_win_over_another_edition(tmp_path, cache, real_data):
    registered = datasets.load("umls", mirror=real_data)
    other = datasets.load("umls", mirror=write_mirror(tmp_path / "mirror", UMLS))
    assert other.n_entities != registered.n_entities
    assert datasets.load("umls").content_hash == registered.content_hash


def test_parsimony_data_holds_folders_and_archives(tmp_path, monkeypatch, cache):
    write_mirror(tmp_path / "one", UMLS)
    write_folder(tmp_path / "two" / "family", train=[("a", "knows", "b"), ("a", "likes", "c")])
    write_folder(tmp_path / "two" / "mine")
    monkeypatch.setenv("PARSIMONY_DATA", f"{tmp_path / 'one'}:{tmp_path / 'two'}")
    assert datasets.load("umls").n_entities == 3
    assert len(datasets.load("family").train) == 2
    assert datasets.load("mine").name == "mine"
    assert datasets.info("family")["available"] == str(tmp_path / "two" / "family")
    assert datasets.info("umls")["available"].endswith("kg_umls.tar.gz")
    assert datasets.info("wn18rr")["available"] is None
    monkeypatch.setenv("PARSIMONY_DATA", str(tmp_path / "none"))
    with pytest.raises(MissingFile, match="none: no such folder"):
        datasets.load("umls")


def test_an_unregistered_name_of_a_manifest(tmp_path):
    mirror = write_mirror(
        tmp_path / "mirror", {"kg_ours.tar.gz": tar_bytes(folder_members("deep/inside"))}
    )
    assert datasets.load("ours", mirror=mirror).n_entities == 3


def test_over_http(web, tmp_path, cache):
    write_mirror(tmp_path / "www", UMLS)
    steps = []
    got = datasets.get("umls", mirror=web.address, progress=lambda *step: steps.append(step))
    size = len(UMLS["kg_umls.tar.gz"])
    assert steps[-1] == (size, size)
    assert got["name"] == "umls"
    assert got["licence"]
    assert datasets.load("umls", mirror=web.address + "/").n_entities == 3
    assert web.seen.count("/kg_umls.tar.gz") == 1
    assert not list((cache / "downloads").iterdir())
    assert not leftovers(cache)


def test_a_transfer_that_breaks_off_is_tried_again(web, tmp_path, cache, capfd):
    write_mirror(tmp_path / "www", UMLS)
    web.breaks = 1
    assert datasets.load("umls", mirror=web.address).n_entities == 3
    assert web.seen.count("/kg_umls.tar.gz") == 2
    assert not list((cache / "downloads").iterdir())
    assert capfd.readouterr() == ("", "")


def test_a_transfer_that_always_breaks_off_leaves_nothing(web, tmp_path, cache, monkeypatch):
    monkeypatch.setattr(mirror, "_RETRIES", 0)
    write_mirror(tmp_path / "www", UMLS)
    web.breaks = 1
    with pytest.raises(DownloadError, match=r"broke off .*10 bytes read") as caught:
        datasets.load("umls", mirror=web.address)
    assert caught.value.where.endswith("/kg_umls.tar.gz")
    assert not list((cache / "downloads").iterdir())


def test_the_address_may_come_from_the_environment(web, tmp_path, monkeypatch):
    write_mirror(tmp_path / "www", UMLS)
    monkeypatch.setenv("PARSIMONY_MIRROR", web.address)
    assert datasets.load("umls").n_entities == 3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sha256": "0" * 64}, ChecksumMismatch, "expected 0000000000000000"),
        ({"bytes": 10}, DownloadError, "more than the 10 bytes"),
        ({"bytes": 10**6}, ChecksumMismatch, "truncated"),
        ({"file": "../kg_umls.tar.gz"}, FormatError, "expected a plain name"),
        ({"file": "kg_umls.tar.gz", "sha256": "xyz"}, FormatError, "64 hexadecimal digits"),
    ],
)
def test_a_mirror_that_lies(web, tmp_path, cache, change, error, message):
    write_mirror(tmp_path / "www", UMLS, **change)
    with pytest.raises(error, match=message) as caught:
        datasets.load("umls", mirror=web.address)
    assert caught.value.remedy
    assert caught.value.where
    assert not (cache / "datasets").exists() or not list((cache / "datasets").iterdir())
    assert not (cache / "downloads").exists() or not list((cache / "downloads").iterdir())


def test_a_mirror_that_trickles_is_given_up(web, tmp_path, cache, monkeypatch):
    monkeypatch.setattr(transfer, "_TIMEOUT", 0.5)
    write_mirror(tmp_path / "www", UMLS)
    web.trickles = True
    with pytest.raises(DownloadError, match="less than 1,024 a second"):
        datasets.load("umls", mirror=web.address)
    assert not (cache / "datasets").exists()


def test_only_web_addresses_are_followed(web, tmp_path, cache):
    write_mirror(tmp_path / "www", UMLS)
    for target in ("ftp://127.0.0.1/kg_umls.tar.gz", "file:///etc/passwd"):
        web.redirect = target
        with pytest.raises(DownloadError, match="did not answer, or broke off"):
            datasets.load("umls", mirror=web.address)


def test_a_mirror_without_what_is_asked(web, tmp_path):
    with pytest.raises(DownloadError, match=r"manifest\.json: the mirror answered 404"):
        datasets.load("umls", mirror=web.address)
    write_mirror(tmp_path / "www", UMLS)
    with pytest.raises(MissingFile, match="none of the locations searched has it"):
        datasets.load("wn18rr", mirror=web.address)
    (tmp_path / "www" / "kg_umls.tar.gz").unlink()
    with pytest.raises(DownloadError, match=r"kg_umls\.tar\.gz: the mirror answered 404"):
        datasets.load("umls", mirror=web.address)


def test_nobody_answers():
    with pytest.raises(DownloadError, match="did not answer"):
        datasets.load("umls", mirror="http://127.0.0.1:9")


@pytest.mark.parametrize("text", ["[]", "{}", '{"datasets": [1]}', "no json"])
def test_a_manifest_of_another_shape(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(FormatError, match=r"manifest\.json: expected a JSON object"):
        datasets.load("umls", mirror=tmp_path)


def test_a_bad_archive_leaves_nothing_behind(tmp_path, cache):
    whole = UMLS["kg_umls.tar.gz"]
    mirror = write_mirror(tmp_path / "mirror", {"kg_umls.tar.gz": whole[: len(whole) // 2]})
    with pytest.raises(CorruptArchive, match="damaged or truncated"):
        datasets.load("umls", mirror=mirror)
    assert list((cache / "datasets").iterdir()) == []
    write_mirror(tmp_path / "mirror", UMLS)
    assert datasets.load("umls", mirror=mirror).n_entities == 3


def test_an_archive_that_grows_too_much_is_refused_before_it_fills_the_disk(
    tmp_path, cache, monkeypatch
):
    monkeypatch.setattr(archive, "_MAX_GROWTH", 1)
    bomb = tar_bytes({"umls/train.txt": bytes((1 << 26) + 1)})
    with pytest.raises(CorruptArchive, match="unpacks to more than 67,108,864 bytes"):
        datasets.load("umls", mirror=write_mirror(tmp_path / "mirror", {"kg_umls.tar.gz": bomb}))
    assert list((cache / "datasets").iterdir()) == []


def test_an_interrupted_unpacking_is_no_dataset(tmp_path, cache):
    mirror = write_mirror(tmp_path / "mirror", UMLS)
    datasets.load("umls", mirror=mirror)
    (unpacked,) = (cache / "datasets").iterdir()
    (unpacked / ".parsimony.json").unlink()
    (unpacked / "umls" / "train.txt").unlink()
    assert datasets.load("umls", mirror=mirror).n_entities == 3


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PARSIMONY_CACHE", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match="cache cannot be written") as caught:
        datasets.load("umls", mirror=write_mirror(tmp_path / "mirror", UMLS))
    assert "PARSIMONY_CACHE" in caught.value.remedy


def test_names_and_kinds(tmp_path, monkeypatch):
    names = datasets.names()
    assert {"royal", "family", "countries_S3", "nell_v4", "drugbank-ddi", "lastfm"} <= set(names)
    for name in names:
        info = datasets.info(name)
        assert info["licence"]
        assert info["summary"]
        assert info["archive"] is None or len(info["sha256"]) == 64
    with pytest.raises(InvalidParameter, match="'hetionet' is a graph dataset"):
        datasets.load("hetionet")
    with pytest.raises(UnknownDataset, match="did you mean 'family'"):
        datasets.load("famly")
    with pytest.raises(UnknownDataset):
        datasets.info("famly")
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "nations")
    assert datasets.load("nations").source == "nations"


def test_the_embedded_graph():
    data = datasets.load("royal")
    assert data.n_entities > 150
    assert "embedded" in data.source
    assert datasets.info("royal")["available"] == "embedded"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a header", "a header of more than 1,048,576 bytes"),
        ("many members", "more than 50 members"),
        ("a long list", "unpacks to more than"),
    ],
)
def test_what_is_read_counts_not_what_is_declared(tmp_path, cache, monkeypatch, name, message):
    monkeypatch.setattr(archive, "_MAX_MEMBERS", 50)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.GNU_FORMAT) as tar:
        if name == "a header":
            tar.addfile(tarfile.TarInfo("umls/" + "x" * (1 << 21)))
        for i in range(100 if name == "many members" else 0):
            tar.addfile(tarfile.TarInfo(f"umls/{i}"))
        if name == "a long list":
            member = tarfile.TarInfo("umls/train.txt")
            member.size = 80 << 20
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    bomb = {"kg_umls.tar.gz": stream.getvalue()}
    with pytest.raises(CorruptArchive, match=message):
        datasets.load("umls", mirror=write_mirror(tmp_path / "mirror", bomb))
    assert list((cache / "datasets").iterdir()) == []


def test_a_cache_is_shared_by_its_umask_and_swept_of_leftovers(tmp_path, cache):
    mirror = write_mirror(tmp_path / "mirror", UMLS)
    datasets.load("umls", mirror=mirror)
    (unpacked,) = (path for path in (cache / "datasets").iterdir() if path.is_dir())
    shutil.rmtree(unpacked)
    left = unpacked.with_name(f".making-{unpacked.name}-killed")
    left.mkdir()
    datasets.load("umls", mirror=mirror)
    assert not left.exists()
    umask = os.umask(0)
    os.umask(umask)
    assert unpacked.stat().st_mode & 0o777 == 0o777 & ~umask
    assert (unpacked / "umls" / "train.txt").stat().st_mode & 0o444 == 0o444 & ~umask
