"""Weights count by their content: looked up in order, fetched with resume."""

from __future__ import annotations

import hashlib
import http.server
import threading
from pathlib import Path
from typing import ClassVar

import pytest

from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.metrics.networks import fetch as downloads
from i2ibench.metrics.networks import weights
from i2ibench.metrics.networks.weights import CatalogueFile

CONTENT = bytes(range(256)) * 4096  # 1 MiB
NOBODY = ("http://127.0.0.1:9/none.pth",)  # an address at which nobody answers


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


def _address(server):
    return f"http://127.0.0.1:{server[0].server_address[1]}/w.pth"


def _file(server, content=CONTENT):
    digest = hashlib.sha256(content).hexdigest()
    return CatalogueFile(name="w.pth", sha256=digest, urls=[_address(server)])


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


@pytest.fixture
def trunk(monkeypatch):
    """Give the VGG-16 file of ``lpips-vgg`` and ``dists`` other bytes, urls and packages."""

    def known_as(content, urls, *, packaged=True):
        known = weights.catalogue()
        changes = {"sha256": hashlib.sha256(content).hexdigest(), "urls": urls}
        vgg = known["lpips-vgg"].files[0].model_copy(update=changes)
        others = {"urls": urls} if packaged else {"urls": urls, "packaged": ()}
        channels = known["dists"].files[0].model_copy(update=others)
        changed = {
            **known,
            "lpips-vgg": known["lpips-vgg"].model_copy(update={"files": (vgg,)}),
            "dists": known["dists"].model_copy(update={"files": (channels, vgg)}),
        }
        monkeypatch.setattr(weights, "catalogue", lambda: changed)
        return vgg.name

    return known_as


def _put(entry, name, content):
    path = weights.weights_cache() / entry / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("here", "asked"), [("lpips-vgg", "dists"), ("dists", "lpips-vgg")])
def test_one_file_serves_every_entry_that_needs_it(trunk, here, asked):
    kept = _put(here, trunk(CONTENT, NOBODY), CONTENT)
    assert weights.locate(asked)[-1].path == kept
    assert kept in weights.present(asked)
    assert downloads.fetch(asked)[-1].path == kept


def test_unverified_weights_of_one_entry_are_none_of_another(trunk):
    _put("lpips-vgg", trunk(CONTENT, NOBODY), b"finetuned")
    assert not weights.locate("lpips-vgg", allow_unverified=True)[0].verified
    with pytest.raises(MissingError, match="weights dists not found"):
        weights.locate("dists", allow_unverified=True)


def test_only_what_is_nowhere_is_downloaded(server, trunk):
    name = trunk(CONTENT, (_address(server),))
    channels, vgg = downloads.fetch("dists")
    assert "torchmetrics" in channels.path.parts, "shipped by an installed package"
    assert vgg.path == weights.weights_cache() / "dists" / name
    assert server[1].requests == [0]


def test_offline_every_missing_file_is_named_and_no_other(trunk):
    vgg = trunk(CONTENT, NOBODY)
    with pytest.raises(MissingError) as caught:
        downloads.fetch("dists")
    assert vgg in str(caught.value) and "dists-weights.pt" not in str(caught.value)
    trunk(CONTENT, NOBODY, packaged=False)
    with pytest.raises(MissingError) as caught:
        downloads.fetch("dists")
    for part in (vgg, "dists-weights.pt", str(weights.weights_cache() / "dists")):
        assert part in str(caught.value)
    assert str(caught.value).count(NOBODY[0]) == 2
    assert "\n" not in str(caught.value)


def test_offline_the_message_names_file_address_and_folder(tmp_path, monkeypatch):
    entry = weights.entry("lpips-alex")
    unreachable = CatalogueFile(name="alexnet-owt-7be5be79.pth", sha256="0" * 64, urls=NOBODY)
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


def test_a_right_file_beside_a_wrong_one_of_which_any_is_enough_is_used(monkeypatch):
    known = weights.catalogue()
    other, backbone = known["lpips-squeeze"].files
    backbone = backbone.model_copy(update={"sha256": hashlib.sha256(CONTENT).hexdigest()})
    changed = known["lpips-squeeze"].model_copy(update={"files": (other, backbone)})
    monkeypatch.setattr(weights, "catalogue", lambda: {**known, "lpips-squeeze": changed})
    _put("lpips-squeeze", other.name, b"torn")
    with pytest.raises(MissingError, match="is not the known squeezenet1_1"):
        weights.locate("lpips-squeeze")
    right = _put("lpips-squeeze", backbone.name, CONTENT)
    for allow in (False, True):
        (found,) = weights.locate("lpips-squeeze", allow_unverified=allow)
        assert (found.path, found.verified) == (right, True)


def test_what_records_keep_of_a_refusal_has_no_path(tmp_path, monkeypatch):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    (tmp_path / "alexnet-owt-7be5be79.pth").write_bytes(b"not these")
    with pytest.raises(MissingError) as caught:
        weights.locate("lpips-alex")
    assert str(tmp_path) in str(caught.value)
    assert caught.value.reason.startswith("a file of weights lpips-alex is not the known alexnet")
    assert str(tmp_path) not in caught.value.reason


def test_a_check_tells_what_is_missing_and_what_is_wrong(trunk):
    vgg = trunk(CONTENT, NOBODY)
    assert [(c["path"], c["state"]) for c in weights.check("dists")][1:] == [(vgg, "missing")]
    assert "missing" not in {each["state"] for each in weights.check()}, "all that are here"
    _put("dists", vgg, b"torn")
    assert [each["state"][:8] for each in weights.check("dists")] == ["verified", "unknown:"]
    _put("dists", vgg, CONTENT)
    assert {each["state"] for each in weights.check("dists")} == {"verified"}


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
