"""Weights count by their content: looked up in order, fetched with resume."""

from __future__ import annotations

import hashlib
import http.server
import threading
from pathlib import Path
from typing import ClassVar

import pytest

from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.metrics import downloads, weights
from i2ibench.metrics.weights import CatalogueFile

CONTENT = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture(autouse=True)
def _places(tmp_path, monkeypatch):
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def server(tmp_path):
    """A local HTTP server that honours ranges and can break off."""

    class Handler(http.server.BaseHTTPRequestHandler):
        requests: ClassVar[list[int]] = []
        break_after: ClassVar[int | None] = None

        def do_GET(self):
            start = 0
            wanted = self.headers.get("Range")
            if wanted:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            Handler.requests.append(start)
            if start >= len(CONTENT):
                self.send_error(416)
                return
            body = CONTENT[start:]
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: Handler.break_after])

        def log_message(self, *args):
            pass

    Handler.requests, Handler.break_after = [], None
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running, Handler
    running.shutdown()
    thread.join()


def _file(server, content=CONTENT):
    address = f"http://127.0.0.1:{server[0].server_address[1]}/w.pth"
    return CatalogueFile(name="w.pth", sha256=hashlib.sha256(content).hexdigest(), urls=[address])


def test_a_download_is_checked_and_kept(server, tmp_path):
    told = []
    path = downloads.fetch_file(_file(server), tmp_path, lambda *what: told.append(what))
    assert path.read_bytes() == CONTENT
    assert told[-1] == ("w.pth", len(CONTENT), len(CONTENT))
    assert downloads.fetch_file(_file(server), tmp_path) == path
    assert len(server[1].requests) == 1, "the second call asks nobody"


def test_a_broken_download_goes_on_where_it_broke(server, tmp_path):
    server[1].break_after = 300_000
    with pytest.raises(MissingError, match="run again to go on"):
        downloads.fetch_file(_file(server), tmp_path)
    assert not (tmp_path / "w.pth").exists()
    server[1].break_after = None
    assert downloads.fetch_file(_file(server), tmp_path).read_bytes() == CONTENT
    assert server[1].requests == [0, 300_000]


def test_a_part_that_is_already_whole_needs_no_byte_more(server, tmp_path):
    (tmp_path / "w.pth.part").write_bytes(CONTENT)
    assert downloads.fetch_file(_file(server), tmp_path).read_bytes() == CONTENT


def test_wrong_bytes_are_not_kept(server, tmp_path):
    with pytest.raises(MissingError, match="sent a file of sha256"):
        downloads.fetch_file(_file(server, b"other"), tmp_path)
    assert [p.name for p in tmp_path.iterdir() if p.suffix in {".pth", ".part"}] == []


def test_offline_the_message_names_file_address_and_folder(tmp_path, monkeypatch):
    entry = weights.entry("lpips-alex")
    unreachable = CatalogueFile(
        name="alexnet-owt-7be5be79.pth", sha256="0" * 64, urls=["http://127.0.0.1:9/none.pth"]
    )
    known = {
        **weights.catalogue(),
        "lpips-alex": entry.model_copy(update={"files": (unreachable,)}),
    }
    monkeypatch.setattr(weights, "catalogue", lambda: known)
    with pytest.raises(MissingError) as caught:
        downloads.fetch("lpips-alex")
    for part in ("alexnet-owt-7be5be79.pth", "http://127.0.0.1:9", str(tmp_path / "cache")):
        assert part in str(caught.value)


def test_own_folder_comes_before_cache_and_cache_before_torch_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path / "own"))
    file = weights.entry("lpips-alex").files[0]
    order = list(weights.candidates("lpips-alex", file))
    assert order == [
        tmp_path / "own" / "lpips-alex" / file.name,
        tmp_path / "own" / file.name,
        tmp_path / "cache" / "weights" / "lpips-alex" / file.name,
        tmp_path / "torch" / "hub" / "checkpoints" / file.name,
    ]


def test_a_wrong_file_under_the_right_name_is_refused_and_can_be_allowed(tmp_path, monkeypatch):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    (tmp_path / "alexnet-owt-7be5be79.pth").write_bytes(b"not these")
    with pytest.raises(MissingError, match="is not the known") as caught:
        weights.locate("lpips-alex")
    assert "--allow-unverified-weights" in str(caught.value)
    (found,) = weights.locate("lpips-alex", allow_unverified=True)
    digest = hashlib.sha256(b"not these").hexdigest()
    assert (found.verified, found.mark) == (False, f"unverified-{digest[:8]}")


def test_absent_weights_say_how_to_get_them():
    with pytest.raises(MissingError) as caught:
        weights.locate("inception-fid")
    expected = "weights inception-fid not found; run: i2ibench weights fetch inception-fid"
    assert str(caught.value) == expected
    assert caught.value.exit_code == 4


def test_adding_goes_by_content(shared, tmp_path):
    source = shared / "weights" / "lpips-squeeze" / "squeeze.backbone.pth"
    renamed = tmp_path / "anything.bin"
    renamed.write_bytes(source.read_bytes())
    added = weights.add("lpips-squeeze", renamed)
    assert added.verified
    assert added.path.name == "squeeze.backbone.pth"
    (found,) = weights.locate("lpips-squeeze")
    assert (found.path, found.mark) == (added.path, "b8a52dc0")
    assert weights.check("lpips-squeeze")[0]["state"] == "verified"


def test_adding_unknown_content_is_refused_and_can_be_allowed(tmp_path):
    path = tmp_path / "file.pth"
    path.write_bytes(b"unknown")
    with pytest.raises(DataError, match="none of lpips-vgg's files"):
        weights.add("lpips-vgg", path)
    assert not weights.weights_cache().exists()
    assert not weights.add("lpips-vgg", path, allow_unverified=True).verified


def test_unknown_weights_are_suggested():
    with pytest.raises(UsageError, match="did you mean lpips-squeeze"):
        weights.locate("lpips-sqeeze")


def test_the_catalogue_knows_every_file_by_its_whole_hash_and_the_metrics_that_need_it():
    from i2ibench import registry

    needed = {
        (name, weight)
        for name in registry.metrics.names()
        for weight in registry.metrics.get(name).weights
    }
    listed = {
        (metric, name) for name, entry in weights.catalogue().items() for metric in entry.metrics
    }
    assert needed == listed
    for entry in weights.catalogue().values():
        for file in entry.files:
            assert len(file.sha256) == 64
            stem_hash = Path(file.name).stem.rsplit("-", 1)[-1]
            if len(stem_hash) == 8 and stem_hash.isalnum() and any(c.isdigit() for c in stem_hash):
                assert file.sha256.startswith(stem_hash), "torch hub's names begin the hash"
