"""What marks and ranks of a board say, point by point: the same words on every page."""

from __future__ import annotations

from i2ibench.leaderboard.ranking import RULE
from i2ibench.statistics.bootstrap import FEWEST_UNITS

# A term and what it says. The texts hold no markup: each page sets them in its own.
POINTS: tuple[tuple[str, str], ...] = (
    (
        "Arrows",
        "point to better values. Small print: 95 % interval of the mean over other pairs or "
        "slides, for the weights that were trained; ± standard deviation over seeds, which the "
        "interval does not hold; #1-3 the rank in the column.",
    ),
    (
        "Ranks.",
        f'{RULE} "#1-3" means: tested two at a time, these ranks are left open.',
    ),
    (
        "Bold",
        "marks the best group of a column: the methods than which none is surely better. Where "
        "little can be told apart, that group is large, and no praise.",
    ),
    (
        "Closed forms",
        "neither train nor draw anything: they have no seeds that could differ, and rank.",
    ),
    (
        "One set of weights:",
        "a single training, a checkpoint from elsewhere, or predictions that were given. It says "
        "nothing of the method's other seeds, so it has no rank, is never bold, and changes no "
        'rank. "+3 -1 of 5": these weights are surely better than 3 of the 5 other rows, and '
        "surely worse than 1.",
    ),
    (
        "Order.",
        "All tables list rows by their value in the first ranked column overall, methods and "
        "single sets of weights alike. The order itself claims nothing, and there is no place "
        "over columns.",
    ),
    (
        "Means of levels",
        "are those of the levels that count: a mark names the others, in which too few targets "
        "let the metric be defined.",
    ),
    (
        "Unstained",
        "predictions hold next to nothing of the stain that the targets show. What such a row "
        "scores elsewhere is the price of an empty image, whatever its rank.",
    ),
    (
        "reproduced:",
        "the predictions were made again from the weights; verified: the numbers were computed "
        "again from the predictions.",
    ),
    (
        "No interval, no rank:",
        f"neither is given below {FEWEST_UNITS} independent pairs or clusters, nor intervals "
        "where most of fewer than 100 of them share one value. FID and other distances of sets "
        "have no scores per pair that could be tested, so they never rank. Nor do they have an "
        "interval, because none is known to hold; KID-marginal's is Student's with the "
        "jackknife's standard error, given where pairs are independent and its simulated "
        "coverage holds.",
    ),
    (
        "An oracle",
        "reads the target: no method and no bound, but a scale to read others by; never ranked.",
    ),
)


def reading_section() -> str:
    """Return the points as a section of markdown."""
    listed = "\n".join(f"- **{term}** {words}" for term, words in POINTS)
    return f"### How to read these tables\n\n{listed}"
