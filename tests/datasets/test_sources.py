"""Named datasets from their public sources: a local server stands for them, layout and all."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import os
import threading
from pathlib import Path

import pytest
import urllib3
from tests.datasets.source_layout import addresses, put, tar_gz, write_source, zipped
from typer.testing import CliRunner

from parsimony import datasets
from parsimony.cli import app
from parsimony.datasets import archive, fetching, recipes, registry, transfer
from parsimony.datasets.archive import sha256_of
from parsimony.datasets.loading import locate
from parsimony.errors import (
    ChecksumMismatch,
    CorruptArchive,
    DownloadError,
    FormatError,
    MissingFile,
    RunExists,
)
from parsimony.run import lock

TRIPLES = {
    "train.txt": b"a\tlikes\tb\nb\tlikes\tc\nc\tknows\ta\n",
    "valid.txt": b"a\tlikes\tc\n",
    "test.txt": b"b\tknows\ta\n",
}
KINSHIP = addresses("kinship")["kinship.tar.gz"]


class Handler(http.server.SimpleHTTPRequestHandler):
    """A file server that can break off, continue, redirect and trickle."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        server, ranged = self.server, self.headers.get("Range")
        server.seen.append((self.path, ranged))
        path = server.folder / self.path.lstrip("/")
        if server.elsewhere and not self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", f"/moved{self.path}")
            self.end_headers()
            return
        path = server.folder / self.path.removeprefix("/moved").lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        content, tag = path.read_bytes(), f'"{sha256_of(path)[:8]}"'
        start = 0
        if ranged and server.continues and self.headers.get("If-Range") == tag:
            start = int(ranged.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if server.states:
            self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", tag)
        self.end_headers()
        if server.breaks:
            server.breaks -= 1
            self.wfile.write(content[start : start + (len(content) - start) // 2])
            self.close_connection = True
            return
        if server.trickles:
            server.over.wait(20)
            return
        with contextlib.suppress(ConnectionError):  # nobody listens any more
            self.wfile.write(content[start:])


@pytest.fixture
def sources(tmp_path, cache, monkeypatch):
    """An empty machine, and a server for everything public."""
    folder = tmp_path / "www"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.folder, server.seen, server.over = folder, [], threading.Event()
    server.breaks, server.continues, server.elsewhere, server.trickles = 0, True, False, False
    server.states = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("PARSIMONY_OFFLINE", "0")
    monkeypatch.setenv("PARSIMONY_SOURCES", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(transfer, "_PAUSE", 0.0)
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def kinship(sources):
    put(sources.folder, KINSHIP, tar_gz(TRIPLES))
    return sources


def record(cache, name):
    (found,) = (cache / "datasets").glob(f"{name}-*/.parsimony.json")
    return json.loads(found.read_text())


# ---- one transfer ------------------------------------------------------------------------------


def test_a_fresh_machine_fetches_once_and_says_what(kinship, cache, capsys):
    data = datasets.load("kinship")
    assert (data.n_entities, data.n_relations, len(data.train)) == (3, 2, 3)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("kinship: fetching about 0.1 MB from http://127.0.0.1")
    assert first.endswith("licence: source repository MIT")
    assert "checksums of 1 of 1 files were taken on first use" in last
    told = record(cache, "kinship")
    assert told["sources"] == json.loads((cache / "sources.json").read_text())
    n = len(kinship.seen)
    assert datasets.load("kinship").content_hash == data.content_hash
    assert len(kinship.seen) == n
    assert datasets.info("kinship")["available"]
    assert not list((cache / "downloads").iterdir())


def test_the_command_line_fetches(kinship):
    runner = CliRunner()
    listed = runner.invoke(app, ["datasets"]).stdout
    assert "0.1 MB" in next(line for line in listed.splitlines() if line.startswith("kinship"))
    done = runner.invoke(app, ["audit", "kinship"])
    assert done.exit_code == 0
    assert "fetching about 0.1 MB" in done.stderr
    shown = runner.invoke(app, ["datasets", "show", "kinship"]).stdout
    assert "github.com/TimDettmers/ConvE" in shown
    assert "checksum taken on first use" in shown
    assert runner.invoke(app, ["datasets", "get", "kinship", "--json"]).exit_code == 0


def test_an_interrupted_transfer_is_continued(kinship, cache, monkeypatch):
    monkeypatch.setattr(transfer, "_RETRIES", 0)
    kinship.breaks = 1
    with pytest.raises(DownloadError, match="broke off") as caught:
        datasets.load("kinship")
    assert "what has arrived is kept" in caught.value.remedy
    (part,) = (cache / "downloads").rglob("*.part")
    had = part.stat().st_size
    assert datasets.load("kinship").n_entities == 3
    assert kinship.seen[-1][1] == f"bytes={had}-"


def test_it_goes_on_by_itself_where_it_broke_off(kinship):
    kinship.breaks = 2
    assert datasets.load("kinship").n_entities == 3
    assert [ranged is None for _, ranged in kinship.seen] == [True, False, False]


def test_a_server_that_cannot_continue_sends_all_again(kinship):
    kinship.breaks, kinship.continues = 1, False
    assert datasets.load("kinship").n_entities == 3


def test_a_file_that_changed_meanwhile_is_not_mixed(kinship, monkeypatch):
    monkeypatch.setattr(transfer, "_RETRIES", 0)
    kinship.breaks = 1
    with pytest.raises(DownloadError):
        datasets.load("kinship")
    put(kinship.folder, KINSHIP, tar_gz({**TRIPLES, "test.txt": b"d\tknows\ta\n"}))
    assert datasets.load("kinship").n_entities == 4


def test_a_short_body_is_no_whole_file(kinship, monkeypatch):
    """With urllib3 before 2 as well, which does not compare what came with what was announced."""
    made = urllib3.response.HTTPResponse.__init__

    def careless(self, *args, **options):
        made(self, *args, **options | {"enforce_content_length": False})

    monkeypatch.setattr(urllib3.response.HTTPResponse, "__init__", careless)
    monkeypatch.setattr(transfer, "_RETRIES", 0)
    kinship.breaks = 1
    with pytest.raises(DownloadError, match=r"broke off \(\d+ of \d+ bytes arrived\)"):
        datasets.load("kinship")
    assert datasets.load("kinship").n_entities == 3


@pytest.mark.parametrize("stated", [True, False])
def test_more_than_a_recipe_allows_is_refused(kinship, cache, monkeypatch, stated):
    """Before a byte of it where the length is announced, else as soon as it is exceeded."""
    recipe = recipes.recipe("kinship")
    assert recipe.most == 1_300_000
    assert recipes.recipe("ogbl-wikikg2").most == 4_000_000_000
    kinship.states = stated
    path = put(kinship.folder, KINSHIP, tar_gz(TRIPLES) + bytes(recipe.most))
    with pytest.raises(DownloadError, match="more than the 1,300,000 bytes") as caught:
        datasets.load("kinship")
    assert "about 0.1 MB" in str(caught.value)
    assert not [left for left in (cache / "downloads").rglob("*") if left.is_file()]
    assert len(kinship.seen) == 1  # it is not tried again
    assert str(path.relative_to(kinship.folder)) in caught.value.remedy
    monkeypatch.setenv("PARSIMONY_SOURCES", str(kinship.folder))  # as advised
    assert datasets.load("kinship").n_entities == 3


def test_the_files_of_a_set_share_its_limit(sources):
    big = bytes(800_000)
    for url in addresses("countries_S1").values():
        put(sources.folder, url, big)
    with pytest.raises(DownloadError, match="more than the 500,000 bytes that are left"):
        datasets.load("countries_S1")


def test_what_an_older_recipe_left_is_removed(kinship, cache):
    other, another = f"kinship-{'0' * 16}", f"kinship-more-{'0' * 16}"
    for name in (other, another):
        (cache / "downloads" / name).mkdir(parents=True)
    datasets.load("kinship")
    assert [left.name for left in (cache / "downloads").iterdir()] == [another]


def test_who_waits_for_another_is_told_so(kinship, monkeypatch, capsys):
    digest = recipes.recipe("kinship").digest
    monkeypatch.setattr(archive, "_PATIENCE", 0.2)
    monkeypatch.setattr(lock, "_SILENCE", 0.05)
    with archive.only_process("kinship", digest), pytest.raises(RunExists) as caught:
        datasets.load("kinship")
    assert caught.value.remedy == "wait for it, or set PARSIMONY_CACHE to another folder"
    assert f"waiting: process {os.getpid()} is writing" in capsys.readouterr().err
    assert datasets.load("kinship").n_entities == 3


def test_a_redirect_is_followed(kinship):
    kinship.elsewhere = True
    assert datasets.load("kinship").n_entities == 3


def test_not_found_says_what_to_do(sources, cache):
    with pytest.raises(DownloadError, match="the source answered 404") as caught:
        datasets.load("kinship")
    assert "--mirror" in caught.value.remedy
    assert not list((cache / "datasets").glob("kinship-*/"))


def test_a_source_that_trickles_is_given_up(kinship, monkeypatch):
    monkeypatch.setattr(transfer, "_TIMEOUT", 0.3)
    kinship.trickles = True
    with pytest.raises(DownloadError):
        datasets.load("kinship")


def test_what_arrives_anew_is_no_standstill(kinship, monkeypatch):
    """A source that sends all again is measured by that, not by how far the part had come."""
    monkeypatch.setattr(transfer, "_TIMEOUT", 0.0)
    monkeypatch.setattr(transfer, "_SLOWEST", 1)
    out = transfer.Limited(io.BytesIO(), None, "", "")
    out.done = 1 << 30  # of an earlier transfer
    began = threading.Event()

    def slow(url, out, *_):
        out.done = 0
        out.write(bytes(1 << 20))
        began.wait(0.5)

    monkeypatch.setattr(transfer, "_get", slow)
    transfer.transfer("http://127.0.0.1:9", out)
    assert (out.done, out.received) == (1 << 20, 1 << 20)


def test_without_a_network(cache, monkeypatch):
    monkeypatch.setenv("PARSIMONY_OFFLINE", "")
    monkeypatch.setenv("PARSIMONY_SOURCES", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr(transfer, "_PAUSE", 0.0)
    with pytest.raises(DownloadError, match="did not answer") as caught:
        datasets.load("umls")
    assert "--mirror URL|FOLDER" in caught.value.remedy


@pytest.mark.parametrize("place", ["", "http://sources.example.org", "http://192.168.0.9:80"])
def test_offline_nothing_is_tried(cache, monkeypatch, place):
    monkeypatch.setenv("PARSIMONY_OFFLINE", "1")
    monkeypatch.setenv("PARSIMONY_SOURCES", place)
    monkeypatch.setattr(fetching, "_made", None)  # whoever tries, fails
    with pytest.raises(MissingFile, match=r"none of the locations.* PARSIMONY_OFFLINE forbids"):
        datasets.load("umls")


def test_offline_this_machine_may_be_asked(kinship, monkeypatch, tmp_path):
    """A folder, or a server on the loopback, is no network."""
    monkeypatch.setenv("PARSIMONY_OFFLINE", "1")
    assert datasets.load("kinship").n_entities == 3
    assert kinship.seen
    monkeypatch.setenv("PARSIMONY_SOURCES", kinship.folder.as_uri())
    monkeypatch.setenv("PARSIMONY_CACHE", str(tmp_path / "another"))
    assert datasets.load("kinship").n_entities == 3


def test_a_folder_can_stand_for_the_sources(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("PARSIMONY_OFFLINE", "0")
    monkeypatch.setenv("PARSIMONY_SOURCES", str(tmp_path / "by-hand"))
    path = put(tmp_path / "by-hand", KINSHIP, tar_gz(TRIPLES))
    assert datasets.load("kinship").n_entities == 3
    assert path.exists()
    with pytest.raises(MissingFile, match=r"raw\.githubusercontent\.com"):
        datasets.load("umls")


# ---- what arrives --------------------------------------------------------------------------------


def test_another_file_than_on_first_use_is_refused(kinship, cache):
    datasets.load("kinship")
    for made in (cache / "datasets").glob("kinship-*"):
        (made / ".parsimony.json").unlink()
    put(kinship.folder, KINSHIP, tar_gz({**TRIPLES, "test.txt": b"d\tknows\ta\n"}))
    with pytest.raises(ChecksumMismatch, match="on first use") as caught:
        datasets.load("kinship")
    assert "sources.json" in caught.value.remedy
    (cache / "sources.json").unlink()
    assert datasets.load("kinship").n_entities == 4


def test_a_wrong_checksum_of_the_recipe_is_refused(sources, cache):
    url = addresses("movielens-100k")["ml-100k.zip"]
    put(sources.folder, url, zipped({"ml-100k/u.data": b"1\t1\t5\t0\n"}))
    with pytest.raises(ChecksumMismatch, match="by the recipe"):
        datasets.get("movielens-100k")
    assert not list((cache / "downloads").rglob("*ml-100k.zip"))


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"no archive", CorruptArchive, "damaged"),
        (tar_gz({"train.txt": b"a\tb\tc\n"}), CorruptArchive, "no member 'valid.txt'"),
        (tar_gz({**TRIPLES, "test.txt": b"a\tb\n"}), FormatError, "2 fields, expected 3"),
    ],
)
def test_a_source_of_another_form_is_refused(sources, cache, content, error, words):
    put(sources.folder, KINSHIP, content)
    with pytest.raises(error, match=words):
        datasets.load("kinship")
    assert not list((cache / "datasets").glob("kinship-*/"))
    put(sources.folder, KINSHIP, tar_gz(TRIPLES))  # neither kept nor remembered
    assert datasets.load("kinship").n_entities == 3


def test_terms_must_be_agreed_to(sources, cache):
    runner = CliRunner()
    refused = runner.invoke(app, ["fit", "drugbank-ddi", "--method", "prior"])
    assert refused.exit_code == 2
    assert "parsimony datasets get drugbank-ddi --accept-terms" in refused.stderr
    assert "parsimony fit cyp" in refused.stderr
    assert not sources.seen


def test_what_no_place_has_is_named(sources):
    with pytest.raises(MissingFile, match=r"to obtain: the archive kg_drugbank_layer") as caught:
        datasets.get("drugbank-layer")
    assert "--mirror FOLDER" in caught.value.remedy


# ---- every recipe --------------------------------------------------------------------------------


def test_every_registered_set_can_be_had():
    for name in datasets.names():
        item, recipe = registry.entry(name), recipes.recipe(name)
        assert item.licence and item.summary
        if not item.embedded:
            assert recipe is not None, name
            assert bool(recipe.files) != bool(recipe.obtain), name
            assert len({file.name for file in recipe.files}) == len(recipe.files), name


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    ["family", "umls", "nations", "countries_S1", "fb237_v1", "wn18rr", "sider", "tox21", "lastfm"],
)
def test_what_is_made_equals_the_archive(name, tmp_path, sources, real_data):
    """Byte for byte: the files of the edition are those on which our figures were measured."""
    locate(name, mirror=real_data)
    for unpacked in (tmp_path / "cache" / "datasets").iterdir():
        if unpacked.is_dir():
            unpacked.rename(tmp_path / "archive")
    write_source(name, tmp_path / "archive" / registry.entry(name).folder, sources.folder)
    got = datasets.get(name)
    assert got["source"] == "its public source"
    for file, sha256 in recipes.edition(name).items():
        assert sha256_of(fetching._file(_path(got), file)) == sha256


@pytest.mark.data
def test_drugbank_differs_as_the_recipe_says(tmp_path, sources, real_data, monkeypatch):
    folder, _ = locate("drugbank-ddi", mirror=real_data)
    write_source("drugbank-ddi", folder, sources.folder)
    whole = datasets.load("drugbank-ddi", mirror=real_data)
    monkeypatch.setenv("PARSIMONY_CACHE", str(tmp_path / "another"))
    got = datasets.get("drugbank-ddi", agreed=True)
    assert got["source"].startswith("its public source (not the registered edition: drugs.tsv has")
    made = datasets.load("drugbank-ddi")
    assert made.smiles == whole.smiles and made.templates == whole.templates
    assert all((made.pairs[part] == whole.pairs[part]).all() for part in whole.pairs)


def _path(got):
    return Path(got["path"])


def test_fb15k_237_gets_its_names(sources):
    where = addresses("fb15k-237")
    put(sources.folder, where["FB15k-237.tar.gz"],
        tar_gz({k: v.replace(b"\n", b"\r\n") for k, v in TRIPLES.items()}))  # fmt: skip
    put(sources.folder, where["FB15k_mid2name.txt"], b"a\tA_town\nc\tC_town\n")
    about = {"a": {"wikidata_id": "Q1", "label": "A town", "description": "a\ttown"}, "b": None}
    put(sources.folder, where["entity2wikidata.json"], json.dumps(about).encode())
    got = datasets.get("fb15k-237")
    assert "train.txt" in got["source"] and "differ" in got["source"]  # not those of the figures
    assert (_path(got) / "relations.txt").read_text() == "knows\nlikes\n"
    names = (_path(got) / "entity_names.tsv").read_text().splitlines()
    assert names[1:] == ["a\tA_town\tQ1\tA town\ta town", "b\t\t\t\t", "c\tC_town\t\t\t"]


def test_nell_995_puts_the_queries_last(sources):
    where = addresses("nell-995")
    put(sources.folder, where["NELL-995.zip"], zipped({f"N/{k}": v for k, v in TRIPLES.items()}))
    for file, content in (
        ("train.txt", b"b\tlikes\tc\n"), ("valid.txt", TRIPLES["valid.txt"]),
        ("test.txt", TRIPLES["test.txt"]), ("entities.txt", b"a\nb\nc\n"),
        ("relations.txt", b"likes\nknows\n"),
    ):  # fmt: skip
        put(sources.folder, where[file], content)
    folder = _path(datasets.get("nell-995"))
    assert (folder / "train.txt").read_text().splitlines()[-1] == "b\tlikes\tc"
    assert json.loads((folder / "redgnn_split.json").read_text()) == {"n_facts": 2, "n_query": 1}


def test_two_processes_lose_no_checksum(cache, monkeypatch):
    """The record is read and written under one lock."""
    write, threads = fetching.write_atomic, []

    def slow(path, text):
        if not threads:  # another begins before this one has written
            threads.append(threading.Thread(target=fetching._remember, args=({"b": "1"},)))
            threads[0].start()
            threads[0].join(0.3)
        write(path, text)

    monkeypatch.setattr(fetching, "write_atomic", slow)
    fetching._remember({"a": "0"})
    threads[0].join()
    assert len(json.loads((cache / "sources.json").read_text())) == 2
