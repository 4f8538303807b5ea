"""Predictions are found by pair id, whoever wrote them; what does not fit is named."""

from __future__ import annotations

import cv2
import pytest
from PIL import Image

from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError
from i2ibench.evaluation.predictions import check_images, find_predictions

NATIVE = Preparation()


def test_own_predictions_are_found(draw):
    drawn = draw()
    (drawn.folder / "manifest.json").write_text("{}")
    assert find_predictions(drawn.folder, drawn.dataset) == drawn.predictions


def test_result_folders_of_other_tools_are_found(draw, recwarn):
    dataset, predictions = drawn = draw()
    for pair_id, path in predictions.items():
        path.rename(path.with_name(f"{pair_id}_fake_B.png"))
        for mark in ("real_A", "real_B"):
            path.with_name(f"{pair_id}_{mark}.png").write_bytes(b"not read")
    found = find_predictions(drawn.folder, dataset)
    assert {key: path.name for key, path in found.items()} == {
        pair.id: f"{pair.id}_fake_B.png" for pair in dataset
    }
    assert not recwarn.list


def test_missing_predictions_are_told_by_id(draw):
    drawn = draw()
    missing = [*drawn.predictions][2]
    drawn.predictions[missing].unlink()
    with pytest.raises(DataError, match=f"1 of 8 pairs have no prediction: {missing[:8]}"):
        find_predictions(drawn.folder, drawn.dataset)


def test_many_missing_predictions_are_told_by_the_first_ids_and_their_number(draw):
    drawn = draw(24)
    for path in drawn.predictions.values():
        path.unlink()
    first, after = [*drawn.predictions][9:11]
    with pytest.raises(DataError, match="24 of 24 pairs have no prediction") as caught:
        find_predictions(drawn.folder, drawn.dataset)
    assert f"{first} and 14 more; every pair" in str(caught.value)
    assert after not in str(caught.value)


def test_never_by_position(draw):
    """As many files as pairs, but with other names, are not predictions."""
    drawn = draw()
    for index, path in enumerate(drawn.predictions.values()):
        path.rename(path.with_name(f"image{index}.png"))
    with pytest.raises(DataError, match=r"8 of 8 pairs have no prediction: .* otherwise: image0"):
        find_predictions(drawn.folder, drawn.dataset)


def test_extra_predictions_are_told_by_id(draw):
    drawn = draw()
    first = next(iter(drawn.predictions.values()))
    first.with_name("stray.png").write_bytes(first.read_bytes())
    with pytest.warns(UserWarning, match="1 images belong to no pair .* stray"):
        find_predictions(drawn.folder, drawn.dataset)


def test_two_predictions_of_one_pair_are_refused(draw):
    drawn = draw()
    first = next(iter(drawn.predictions.values()))
    first.with_suffix(".jpg").write_bytes(first.read_bytes())
    with pytest.raises(DataError, match="has two predictions"):
        find_predictions(drawn.folder, drawn.dataset)


def test_an_absent_folder_is_named(draw, tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        find_predictions(tmp_path / "nowhere", draw().dataset)


def test_a_wrong_size_is_told_by_id_before_anything_is_scored(draw):
    dataset, predictions = draw()
    pair_id = [*predictions][3]
    small = read_image(ImageRef(predictions[pair_id]))[:40]
    cv2.imwrite(str(predictions[pair_id]), small)
    with pytest.raises(DataError, match=r"3\+ is 48 x 40 and not 48 x 48; translate again"):
        check_images(dataset, predictions, NATIVE)


def test_all_wrong_sizes_are_counted_and_the_first_are_told(draw):
    dataset, predictions = draw()
    for pair_id in [*predictions][1:6]:
        small = read_image(ImageRef(predictions[pair_id]))[:40]
        cv2.imwrite(str(predictions[pair_id]), small)
    with pytest.raises(DataError, match="5 of 8 predictions do not have the size") as caught:
        check_images(dataset, predictions, NATIVE)
    message = str(caught.value)
    assert (message.count("is 48 x 40"), " and 2 more; translate again" in message) == (3, True)
    assert f": {[*predictions][1]} is 48 x 40 and not 48 x 48, " in message and "\n" not in message


def test_native_predictions_do_not_pass_for_those_of_a_resizing_protocol(draw):
    dataset, predictions = draw(4)
    with pytest.raises(DataError, match=r"4 of 4 .* is 48 x 48 and not 256 x 256"):
        check_images(dataset, predictions, Preparation(scale_width=320, centre_crop=256))


def test_jpeg_predictions_are_warned_of_by_content(draw):
    dataset, predictions = draw(4)
    pair_id, path = next(iter(predictions.items()))
    # JPEG bytes under a .png name, as in some copies of BCI.
    path.write_bytes(cv2.imencode(".jpg", read_image(ImageRef(path)))[1].tobytes())
    with pytest.warns(UserWarning, match=rf"1 predictions .* with loss \(JPEG\).*{pair_id[:5]}"):
        check_images(dataset, predictions, NATIVE)


def test_lossy_webp_and_tiff_are_warned_of_as_jpeg_is_and_lossless_ones_are_not(draw, recwarn):
    dataset, predictions = draw(4)
    kinds = (
        (".webp", {"lossless": True}),
        (".tif", {"compression": "tiff_lzw"}),
        (".webp", {"quality": 95}),
        (".tif", {"compression": "jpeg"}),
    )
    stored = {}
    for (pair_id, path), (suffix, options) in zip(predictions.items(), kinds, strict=True):
        stored[pair_id] = path.with_suffix(suffix)
        Image.open(path).save(stored[pair_id], **options)
    check_images(dataset, stored, NATIVE)
    (warned,) = [str(each.message) for each in recwarn.list]
    *_, webp, tiff = stored
    assert "2 predictions are compressed with loss (TIFF, WEBP)" in warned
    assert warned.endswith(f": {webp}, {tiff}")
