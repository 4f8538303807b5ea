"""The built-in data set: the same bytes everywhere, and levels that follow the scoring rule."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2hed

from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import Dataset, open_dataset
from i2ibench.data.synthetic.drawing import VERSION, SyntheticOptions, draw_pair, list_synthetic
from i2ibench.data.synthetic.generate import ensure_generated, generate, generated_folder
from i2ibench.errors import UsageError

SMALL = SyntheticOptions(size=96, train=8, test=0, section_offset=5)

# Of the pixels of SMALL. If this changes, raise VERSION: old results name old pictures.
PINNED = "da14cae7ec162eb414c3e0a6ef47e94e55d62834c290f0bd0093a0e443ee904f"


def pixels_sha256(options: SyntheticOptions) -> str:
    digest = hashlib.sha256()
    for pair in list_synthetic(options):
        for image in draw_pair(options, pair):
            digest.update(image.tobytes())
    return digest.hexdigest()


def test_the_pixels_of_this_version_are_pinned() -> None:
    assert VERSION == 2
    assert pixels_sha256(SMALL) == PINNED


def test_the_pixels_do_not_depend_on_the_processor() -> None:
    # NumPy then takes its plainest loops, as on a processor without vector units.
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_drawing as t;"
        "print(t.pixels_sha256(t.SMALL))"
    )
    features = (
        "AVX512_SPR AVX512_ICL AVX512_CNL AVX512_CLX AVX512_SKX AVX512CD AVX512F "
        "X86_V4 X86_V3 AVX2 FMA3"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(Path(__file__).parent)],
        env={**os.environ, "NPY_DISABLE_CPU_FEATURES": features},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == PINNED


def test_a_pair_does_not_depend_on_how_many_others_are_drawn() -> None:
    more = SMALL.model_copy(update={"test": 40})
    first, again = list_synthetic(SMALL)[3], list_synthetic(more)[3]
    assert first == again
    for one, other in zip(draw_pair(SMALL, first), draw_pair(more, again), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Eight pairs a level, of as many slides."""
    options = SyntheticOptions(size=128, train=32, test=0, pairs_per_slide=1, seed=3)
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for pair in list_synthetic(options):
        found.setdefault(pair.level, []).append(draw_pair(options, pair))
    return found


def test_dab_follows_the_scoring_rule(drawn) -> None:
    dab = {level: [rgb2hed(ihc)[..., 2] for _, ihc in pairs] for level, pairs in drawn.items()}
    strongest = {
        level: np.mean([np.percentile(d, 98) for d in each]) for level, each in dab.items()
    }
    assert strongest["0"] < strongest["1+"] < strongest["2+"] < strongest["3+"]
    assert strongest["3+"] > 2 * strongest["2+"]
    # 3+ is intense over much of the picture, 1+ hardly anywhere.
    area = {level: np.mean([(d > 0.08).mean() for d in each]) for level, each in dab.items()}
    assert area["3+"] > 0.1 > 0.01 > area["1+"]


def test_he_tells_the_level_only_in_part(drawn) -> None:
    density = {
        level: [float(-np.log10((he.astype(float) + 1) / 256).mean()) for he, _ in pairs]
        for level, pairs in drawn.items()
    }
    means = [np.mean(density[level]) for level in ("0", "1+", "2+", "3+")]
    assert means[3] > means[0], "higher grades are denser"
    assert max(density["1+"]) > min(density["2+"]), "but neighbouring levels overlap"


def test_the_shift_is_what_the_table_says(tmp_path: Path) -> None:
    straight = SMALL.model_copy(update={"section_offset": 0, "size": 96 + 10})
    shifted = SMALL
    for pair in list_synthetic(shifted)[:3]:
        _, ihc = draw_pair(shifted, pair)
        unshifted = next(p for p in list_synthetic(straight) if p.id == pair.id)
        # The same canvas of 106 px, once whole and once cropped at the shifted place.
        _, whole = draw_pair(straight, unshifted)
        left, top = 5 - pair.shift[0], 5 - pair.shift[1]
        np.testing.assert_array_equal(ihc, whole[top : top + 96, left : left + 96])


def test_files_are_in_bci_form_with_slides(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    generate(folder, SMALL.model_copy(update={"val": 4, "test": 4}))
    assert Dataset.open(str(folder)).splits == ("train", "val", "test")
    train, test = open_dataset(str(folder), "train"), open_dataset(str(folder))
    assert train.group_name == "HER2"
    assert train.group_order == ("0", "1+")  # two slides of four pairs
    assert {pair.cluster for pair in train}.isdisjoint({pair.cluster for pair in test})
    assert Image.open(test[0].source.path).size == (96, 96)
    assert (folder / "shifts.csv").read_text().startswith("id,split,x,y\n00000_train_0,train,")


def test_the_file_bytes_depend_on_no_compressor(tmp_path: Path) -> None:
    generate(tmp_path / "a", SMALL)
    assert manifest_sha256(open_dataset(str(tmp_path / "a"), "train"))[:16] == MANIFEST


MANIFEST = "c758e61b934bb5a7"


def test_a_killed_generation_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    options = SyntheticOptions(size=512, train=200, test=0)
    code = (
        "import sys; from i2ibench.data.synthetic.generate import ensure_generated as e;"
        "from i2ibench.data.synthetic.drawing import SyntheticOptions as O;"
        "e(O.parse(eval(sys.argv[1])))"
    )
    code = code.replace("eval(sys.argv[1])", repr({"size": 512, "train": 200, "test": 0}))
    folder = generated_folder(options)
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        while process.poll() is None and not list(
            folder.parent.glob(".synthetic-*/HE/train/*.png")
        ):
            pass
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not folder.exists()
    assert ensure_generated(SMALL).is_dir()


def test_generation_leaves_what_is_there_alone(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="not an empty folder"):
        generate(tmp_path, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 8}, "size = 8: Input should be greater than or equal to 32"),
        ({"sise": 64}, "sise"),
        ({"stain_variation": -1}, "stain_variation"),
    ],
)
def test_bad_options_are_one_line(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SyntheticOptions.parse(options)
    with pytest.raises(UsageError, match="all 0"):
        generate(Path("unused"), SMALL.model_copy(update={"train": 0}))
