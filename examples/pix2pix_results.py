"""Score a result folder of the official pix2pix code, and enter it on a board.

RESULTS holds ``NAME_real_A.png``, ``NAME_fake_B.png`` and ``NAME_real_B.png``; NAME is the id of a
pair in DATASET. Run it as: python pix2pix_results.py RESULTS DATASET
"""

import sys
from pathlib import Path

import i2ibench

METHOD = """\
title = "pix2pix, official code"
paper = "https://arxiv.org/abs/1611.07004"
saw_test_targets = false
"""


def main(results: str, dataset: str) -> None:
    """Print the scores and the board."""
    method = Path("method.toml")
    method.write_text(METHOD, encoding="utf-8")
    outcome = i2ibench.import_predictions(
        results, name="official-pix2pix", dataset=dataset, method=method
    )
    print(outcome)
    if outcome.board is not None:
        print(i2ibench.read_board(outcome.board.parent, outcome.board.stem))


if __name__ == "__main__":
    main(*sys.argv[1:])
