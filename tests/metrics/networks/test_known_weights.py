"""Catalogues of several packages as one: joined, told apart, and none spoils another."""

from __future__ import annotations

import hashlib
import sys

import pytest

from i2ibench import registry
from i2ibench.errors import MissingError, UsageError
from i2ibench.metrics.networks import weights
from i2ibench.metrics.networks.fetch import fetch
from i2ibench.metrics.networks.known_weights import catalogue, metrics_for, provider

CONTENT = b"the weights of a plugin"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ENTRY = """
[{name}]
title = "Features"
metrics = ["ink"]
licence = "CC0-1.0"
{more}
[[{name}.files]]
name = "{file}"
sha256 = "{sha256}"
{packaged}
"""


def entry(name="ink", more="", file="ink.pth", sha256=SHA256, packaged=""):
    return ENTRY.format(name=name, more=more, file=file, sha256=sha256, packaged=packaged)


@pytest.fixture
def plug(tmp_path, monkeypatch):
    """A function that installs a package with a ``weights.toml``; its code must not be run."""
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def install(package, text, **files):
        site = tmp_path / f"site-{package}"
        (site / package / "store").mkdir(parents=True)
        (site / package / "__init__.py").touch()
        (site / package / "store/__init__.py").touch()
        (site / package / "store/weights.toml").write_text(text, encoding="utf-8")
        for name, content in files.items():
            (site / package / "store" / f"{name}.pth").write_bytes(content)
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[i2ibench.weights]\n{package} = {package}.store\n")
        monkeypatch.syspath_prepend(str(site))
        for loaded in [name for name in sys.modules if name.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, loaded)
        fresh = registry.Registry("weights", "i2ibench.weights", registry.read_weights)
        monkeypatch.setattr(registry, "weights", fresh)
        return site

    return install


def test_weights_of_a_plugin_stand_beside_ours_under_its_name(plug):
    plug("inka", entry())
    assert (provider("ink"), provider("lpips-alex")) == ("inka", "i2ibench")
    assert catalogue()["ink"].files[0].sha256 == SHA256
    with pytest.raises(MissingError, match="i2ibench weights add ink FILE"):
        weights.locate("ink")


def test_a_file_that_a_plugin_ships_needs_no_network_and_runs_none_of_its_code(plug):
    site = plug("inkb", entry(packaged='packaged = ["inkb.store:ink.pth"]'), ink=CONTENT)
    # The joined catalogue reads the package's data; finding the file imports nothing more.
    catalogue()
    (site / "inkb/store/__init__.py").write_text("raise SystemExit(3)")
    sys.modules.pop("inkb.store", None)
    [found] = fetch("ink")
    assert (found.path, found.verified) == (site / "inkb/store/ink.pth", True)
    (site / "inkb/store/ink.pth").write_bytes(b"edited")
    with pytest.raises(MissingError, match=r"is not the known ink\.pth"):
        weights.locate("ink")


def test_a_package_that_is_not_installed_ships_nothing(plug):
    plug("inkc", entry(packaged='packaged = ["not_there.deep:ink.pth", "json:ink.pth"]'))
    with pytest.raises(MissingError, match="not found"):
        weights.locate("ink")


def test_weights_that_two_packages_declare_are_refused_and_all_others_work(plug):
    plug("inkd", entry() + entry("only-d"))
    plug("inke", entry() + entry("lpips-vgg"))
    with pytest.warns(UserWarning, match="uninstall one"):
        known = catalogue()
    assert {"only-d", "lpips-alex"} <= set(known)
    assert not {"ink", "lpips-vgg"} & set(known)
    with pytest.raises(UsageError, match=r"both (inkd and inke|inke and inkd)"):
        weights.locate("ink")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ink", "no readable weights.toml"),
        ("\udcff", "no readable weights.toml"),
        (entry(sha256="12"), "files.0.sha256"),
        (entry(more="licens = 3"), "licens"),
        (entry(file="../../ink.pth"), "cannot be a file name"),
        (entry(name='"../ink"'), "cannot be that of a folder"),
        ('[ink]\ntitle = "t"\nlicence = "l"\nfiles = []\n', "files"),
        ("ink = 3", "'ink' of"),
    ],
)
def test_a_broken_file_is_told_with_its_package_and_spoils_nothing(plug, text, words):
    site = plug("inkf", "")
    raw = text.encode("utf-8", "surrogateescape")
    (site / "inkf/store/weights.toml").write_bytes(raw)
    with pytest.warns(UserWarning) as told:
        known = catalogue()
    message = "\n".join(str(each.message) for each in told)
    assert words in message and "inkf" in message
    assert "ink" not in known and "lpips-alex" in known


def test_one_broken_entry_leaves_the_others_of_its_file(plug):
    plug("inkg", entry(sha256="12") + entry("fine"))
    with pytest.warns(UserWarning, match="'ink' of inkg"):
        assert "fine" in catalogue()


def test_weights_that_need_others_are_found_only_with_them(plug):
    plug("inkh", entry("trunk", 'needs = ["heads"]', "trunk.pth") + entry("heads", file="h.pth"))
    folder = weights.weights_cache()
    # One content serves both entries; the needed one is asked for by its own hash.
    (folder / "trunk").mkdir(parents=True)
    assert not weights.present("trunk")
    (folder / "trunk/trunk.pth").write_bytes(CONTENT)
    assert len(weights.locate("trunk")) == 1
    assert metrics_for("heads") == ["ink"]


def test_weights_that_need_each_other_end(plug):
    plug("inki", entry("a", 'needs = ["b"]') + entry("b", 'needs = ["a"]'))
    for look in (weights.locate, fetch):
        with pytest.raises(MissingError, match="not found"):
            look("a")
    assert weights.present("a") == []
    assert {each["weights"] for each in weights.check("a")} == {"a", "b"}
