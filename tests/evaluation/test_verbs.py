"""The verbs metrics, protocols and weights; one model's scores under two protocols."""

from __future__ import annotations

import json

import pytest

from i2ibench.cli.app import run_app

TINY = [
    *("--set", "model.generator=resnet_6blocks", "--set", "model.ngf=2", "--set", "model.ndf=2"),
    *("--set", "training.epochs=1", "--set", "training.decay_epochs=1"),
    *("--set", "training.batch_size=2", "--set", "images.crop=24", "--set", "images.resize=32"),
]
# The two protocols show images at two scales, and one training stands for both.
NATIVE = ["--set", "images.test_scale=native"]


def call(capsys, *arguments):
    code = run_app([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, " ".join(err.split())


def test_a_metrics_card_has_definition_signature_and_weights(capsys):
    code, out, _ = call(capsys, "metrics", "lpips", "--json")
    card = json.loads(out)
    assert code == 0
    assert card["signature"].startswith("lpips|net:alex|version:0.1|")
    assert card["weights"] == {
        "lpips-alex": "weights lpips-alex not found; run: i2ibench weights fetch lpips-alex"
    }
    assert "Zhang et al., CVPR 2018" in card["description"]
    code, out, err = call(capsys, "metrics", "lpips")
    assert (code, err) == (0, "")
    assert "lower" in out


def test_an_unknown_metric_is_suggested(capsys):
    code, _, err = call(capsys, "metrics", "ssim-gauss")
    assert code == 2
    assert "did you mean ssim-gaussian" in err


def test_protocols_are_listed_and_have_cards(capsys):
    code, out, _ = call(capsys, "protocols", "--json")
    assert code == 0
    assert {"i2i-1", "stain-1", "bci-2022", "bci-2022-1024"} <= {p["name"] for p in json.loads(out)}
    code, out, _ = call(capsys, "protocols", "i2i-1", "bci-2022", "--json")
    first, second = json.loads(out)
    assert first["inference"] != second["inference"]
    assert first["signatures"]["psnr"] == "psnr|rgb|range:255|mean:image|v:1"
    assert first["settings"]["kid"] == {"subset": 1000, "subsets": 100, "seed": 2020}
    code, out, err = call(capsys, "protocols", "bci-2022")
    assert (code, err) == (0, "")
    assert "bicubic to width 320" in out


def test_cards_show_each_metrics_signature_in_80_columns(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    own = tmp_path / "own.toml"
    choice = '[[metrics]]\nname = "ssim-aligned"\n[metrics.settings]\nradius = 4\n'
    own.write_text(f'id = "own-1"\ntitle = "own"\n{choice}')
    assert run_app(["protocols", "stain-1", str(own)]) == 0
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines()) <= 80
    rows = [line.split() for line in out[out.index("Definitions") :].splitlines()]
    assert ["ms-ssim", "stain-1", "ms-ssim|rgb|range:255|window:gaus"] in [
        [*row[:2], row[2][:33]] for row in rows if len(row) == 3
    ]
    folded = "".join(row[-1] for row in rows if row)
    assert "radius:32|" in folded and "radius:4|" in folded, "each protocol's own settings"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["i2i-3"], 2, "did you mean i2i-"),
        (["i2i-1", "bci-2022", "stain-1"], 2, "one protocol or two"),
        (["--scores", "nowhere"], 2, "give --scores twice"),
        (["--scores", "nowhere", "--scores", "there"], 3, "no such file"),
    ],
)
def test_wrong_use_of_protocols_is_one_line(capsys, arguments, code, message):
    found, _, err = call(capsys, "protocols", *arguments)
    assert (found, message in err) == (code, True)


def test_weights_are_listed_added_and_verified(capsys, shared, tmp_path, monkeypatch):
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path / "cache"))
    file = shared / "weights" / "lpips-squeeze" / "squeeze.backbone.pth"
    code, out, _ = call(capsys, "weights", "add", "lpips-squeeze", file, "--json")
    assert (code, json.loads(out)["files"][0]["verified"]) == (0, True)
    code, out, _ = call(capsys, "weights", "list", "--json")
    states = {each["name"]: each["state"] for each in json.loads(out)}
    assert states["lpips-squeeze"] == "verified"
    assert "not found" in states["lpips-vgg"]
    assert call(capsys, "weights", "verify", "lpips-squeeze")[0] == 0
    kept = tmp_path / "cache" / "weights" / "lpips-squeeze" / "squeeze.backbone.pth"
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    code, _, err = call(capsys, "weights", "verify", "lpips-squeeze")
    assert (code, "is not the known file" in err) == (5, True)
    code, _, err = call(capsys, "weights", "verify", "lpips-vgg")
    assert (code, "need vgg16-397923af.pth, not found" in err) == (4, True)
    code, _, err = call(capsys, "weights", "verify", "dists")  # a package ships its other file
    assert (code, "weights dists need vgg16-397923af.pth, not found" in err) == (4, True)
    code, _, err = call(capsys, "weights", "fetch", "lpips-vg")
    assert (code, "did you mean lpips-vgg" in err) == (2, True)


def test_a_record_of_refused_weights_holds_no_path_and_the_screen_does(
    capsys, draw, tmp_path, monkeypatch
):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    (tmp_path / "alexnet-owt-7be5be79.pth").write_bytes(b"not these")
    drawn = draw(4)
    line = ["evaluate", drawn.folder, "--targets", drawn.folder.parent / "IHC", "--json"]
    code, out, _ = call(capsys, *line)
    reason = json.loads(out)["metrics"]["lpips"]["unavailable"]
    assert (code, "is not the known alexnet" in reason) == (0, True)
    assert str(tmp_path) not in reason
    code, _, err = call(capsys, *line, "--metrics", "lpips")
    assert (code, str(tmp_path / "alexnet-owt-7be5be79.pth") in err) == (4, True)


def test_one_model_under_two_protocols_differs_and_the_table_says_by_how_much(
    capsys, drawn, tmp_path
):
    drawn.draw("train", 2).draw("test", 2)
    folders = {}
    for protocol in ("i2i-1", "bci-2022"):
        line = ["run", "--model", "pyramid", "--dataset", drawn.root, *TINY, *NATIVE]
        line += ["--output", tmp_path / "runs", "--board", tmp_path / "boards"]
        code, _, err = call(capsys, *line, "--protocol", protocol)
        assert code == 0, err
        results = set((tmp_path / "runs").rglob("result.json"))
        (new,) = results - {folder / "result.json" for folder in folders.values()}
        folders[protocol] = new.parent
    scores = [flag for folder in folders.values() for flag in ("--scores", folder)]
    code, out, _ = call(capsys, "protocols", *scores, "--json")
    found = json.loads(out)
    assert (code, found["protocols"]) == (0, ["i2i-1", "bci-2022"])
    rows = {row["metric"]: row for row in found["scores"]}
    for metric in ("psnr", "ssim", "swd"):
        row = rows[metric]
        assert row["change"] == pytest.approx(row["second"] - row["first"])
        assert row["change"] != 0
    assert rows["mae"]["first"] is None, "only the official protocol lists it"
    code, out, _ = call(capsys, "protocols", *scores)
    assert code == 0
    assert "psnr (dB)" in out
    assert f"{rows['psnr']['change']:+.4f}" in out


def test_runs_that_differ_in_more_than_the_protocol_are_refused(capsys, drawn, tmp_path):
    drawn.draw("test", 4)
    line = ["run", "--model", "copy", "--dataset", drawn.root, "--board", tmp_path / "boards"]
    asked = {"all": [], "few": ["--limit", "2"], "other": ["--limit", "2", "--protocol", "stain-1"]}
    flags = {}
    for name, more in asked.items():
        code, _, err = call(capsys, *line, "--output", tmp_path / name, *more)
        assert code == 0, err
        flags[name] = ["--scores", next((tmp_path / name).rglob("result.json"))]
    code, out, err = call(capsys, "protocols", *flags["all"], *flags["other"])
    assert (code, out) == (2, "") and "limit none and 2, number of pairs 4 and 2" in err
    code, out, err = call(capsys, "protocols", *flags["few"], *flags["few"])
    assert (code, out) == (2, "") and "both results are of protocol i2i-2" in err
    assert call(capsys, "protocols", *flags["few"], *flags["other"])[0] == 0


def test_metrics_with_other_settings_are_marked(capsys, drawn, tmp_path):
    drawn.draw("test", 2)
    ids = []
    for radius in (2, 4):
        ids.append(tmp_path / f"own-{radius}.toml")
        choice = f'name = "psnr-aligned"\n[metrics.settings]\nradius = {radius}\n'
        text = f'id = "own-{radius}"\ntitle = "own"\n[[metrics]]\nname = "mae"\n[[metrics]]\n'
        ids[-1].write_text(text + choice)
    line = ["evaluate", drawn.root / "HE/test", "--dataset", drawn.root, "--output", tmp_path / "o"]
    code, out, _ = call(capsys, *line, "--protocol", ids[0], "--protocol", ids[1])
    assert (code, "psnr-aligned (dB) *" in out) == (0, True)
    scores = [flag for id in ("own-2", "own-4") for flag in ("--scores", tmp_path / "o" / id)]
    code, out, err = call(capsys, "protocols", *scores, "--json")
    rows = {row["metric"]: row for row in json.loads(out)["scores"]}
    assert [rows[name]["redefined"] for name in ("mae", "psnr-aligned")] == [False, True]
    assert "radius:4" in rows["psnr-aligned"]["signatures"][1]
    assert "warning" not in err, "equal values of mae show that the predictions are the same"
    code, out, _ = call(capsys, "protocols", *scores)
    assert "* psnr-aligned is defined otherwise under each: psnr-aligned|rgb|range:255|" in out


def test_an_empty_list_of_metrics_is_refused(capsys, tmp_path):
    code, _, err = call(
        capsys, "evaluate", str(tmp_path), "--targets", str(tmp_path), "--metrics", ""
    )
    assert code == 2
    assert "--metrics is empty" in err


def test_one_call_scores_several_models_beside_each_other(capsys, drawn, tmp_path):
    drawn.draw("test", 4)
    line = ["evaluate", drawn.root / "HE/test", drawn.root / "IHC/test", "--dataset", drawn.root]
    line += ["--name", "source", "--name", "real", "--output", tmp_path / "my scores"]
    code, out, err = call(capsys, *line, "--json")
    records = json.loads(out)["results"]
    assert (code, [record["model"]["name"] for record in records]) == (0, ["source", "real"])
    assert "all 4 pairs metric source real" in err
    assert records[1]["metrics"]["psnr"]["value"] is None and "inf" in err
    assert "psnr (real): infinite: 4 of 4 predictions equal their targets" in err
    assert err.count("lpips: weights lpips-alex not found") == 1
    folders = [tmp_path / "my scores" / name for name in ("source", "real")]
    assert f"i2ibench compare '{folders[0]}' '{folders[1]}'" in err
    assert all((folder / "scores.csv").exists() for folder in folders)
    assert call(capsys, "compare", *folders)[0] == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--name", "one"], "1 --name for 2 folders"),
        (["--protocol", "i2i-1", "--protocol", "stain-1"], "not both in one call"),
    ],
)
def test_wrong_use_of_several_folders_is_one_line(capsys, drawn, more, message):
    drawn.draw("test", 2)
    line = ["evaluate", drawn.root / "HE/test", drawn.root / "IHC/test", "--dataset", drawn.root]
    code, out, err = call(capsys, *line, *more)
    assert (code, out, message in err) == (2, "", True)


def test_one_call_scores_the_same_files_under_two_protocols(capsys, drawn, tmp_path):
    drawn.draw("test", 2)
    own = tmp_path / "own.toml"
    own.write_text('id = "own-1"\ntitle = "own"\n[[metrics]]\nname = "psnr"\n')
    line = ["evaluate", drawn.root / "HE/test", "--dataset", drawn.root, "--output", tmp_path / "o"]
    both = ["--protocol", "i2i-1", "--protocol", own]
    code, out, err = call(capsys, *line, *both, "--json")
    found = json.loads(out)
    assert (code, found["protocols"]) == (0, ["i2i-1", "own-1"])
    assert found["scores"][0]["metric"] == "psnr" and found["scores"][0]["change"] == 0
    assert [record["protocol"]["id"] for record in found["results"]] == found["protocols"]
    assert "under i2i-1" in err and "under own-1" in err and "difference" in err
    assert (tmp_path / "o/i2i-1/result.json").exists() and (
        tmp_path / "o/own-1/scores.csv"
    ).exists()
    code, out, err = call(capsys, *line, "--protocol", "i2i-1", "--protocol", "bci-2022")
    assert (code, out) == (2, "")
    assert "i2ibench protocols --scores RUN --scores RUN" in err
