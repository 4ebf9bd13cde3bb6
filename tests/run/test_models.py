"""The rule of promotion as a table."""

from __future__ import annotations

from helpers.combinations import each_row

from lstmgru.evaluation.decimals import fixed
from lstmgru.evaluation.significance import Interval
from search.reports.formatting import decimals_of_scores
from search.run.models import decide
from search.study.refit_records import Promotion
from search.tasks.final_job import Rival

BETTER, SAME, WORSE = Interval(-1.0, -1.5, -0.5, 0.001), Interval(0.1, -0.4, 0.6, 0.6), Interval(1.0, 0.5, 1.5, 0.001)


@each_row(
    ("rule", "metric", "score", "champion", "difference", "promoted", "said"),
    [
        ("if-better", "mae", 4.0, 5.0, BETTER, True, "significantly better"),
        ("if-better", "mae", 5.1, 5.0, SAME, True, "not significantly different"),
        ("if-better", "mae", 5.00001, 5.0, SAME, True, "the champion 5.000: equal."),
        ("if-better", "mae", 6.0, 5.0, WORSE, False, "significantly worse"),
        ("if-better", "mae", 5.4, 5.0, Interval.unknown(0.4, "cutoffs"), True, "too few cutoffs for a test."),
        ("if-better", "mae", 5.6, 5.0, Interval.unknown(0.6, "cutoffs"), False, "for a test, but much worse"),
        ("if-better", "accuracy", 0.6, 0.8, Interval.unknown(0.2, "labels"), False, "for a test, but much worse"),
        ("if-better", "accuracy", 0.75, 0.8, Interval.unknown(0.05, "labels"), True, "too few labels for a test."),
        ("if-better", "accuracy", 0.9, 0.5, BETTER, True, "significantly better"),
        ("always", "mae", 6.0, 5.0, WORSE, True, "champion (--promote always): on the last new rows"),
        ("never", "mae", 4.0, 5.0, BETTER, False, "challenger (--promote never): on the last new rows"),
    ],
)  # fmt: skip
def test_more_data_and_not_worse_is_enough(
    rule: Promotion, metric: str, score: float, champion: float, difference: Interval, promoted: bool, said: str
) -> None:
    decision = decide(rule, metric, score, Rival(champion, difference), "20 rows more")
    assert decision.promoted == promoted
    assert said in decision.reason
    decimals = decimals_of_scores(metric, score)
    assert f"{fixed(score, decimals)}, the champion {fixed(champion, decimals)}" in decision.reason


def test_what_cannot_be_compared_has_learned_from_more() -> None:
    decision = decide("if-better", "mae", 4.0, None, "2 rows more")
    assert decision.promoted
    assert "2 rows more, too few to compare" in decision.reason


def test_the_same_training_on_the_same_rows_is_said_to_be_so() -> None:
    rival = Rival(2.394, Interval.unknown(0.0, "cutoffs"))
    decision = decide("if-better", "mae", 2.394, rival, "10 rows more", all_new=True)
    assert decision.promoted
    assert "its recipe is the champion again (MAE 2.394), so that there was nothing to compare" in decision.reason
    assert "champion 2.394: too few" in decide("if-better", "mae", 2.394, rival, "10 rows more").reason
