"""Networks in words and boxes, and drawn."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from helpers.combinations import each_row

from lstmgru.specs import ModelSpec, SequenceModelSpec, parse_branches
from search.reports.diagram.boxes import Network
from search.reports.diagram.draw import network_svg
from search.space.space import Model
from search.tasks.forecasting.diagram import ForecastRoles, describe_forecaster
from search.tasks.sequences.diagram import SequenceRoles, describe_predictor

ROLES = ForecastRoles(("sales",), past=("visitors",), ahead=("holiday", "day_of_week"), horizon=7, levels=(0.8, 0.95))
LABELS = SequenceRoles("state", ("heat", "load"), n_channels=2, n_classes=3)
MOODS = SequenceRoles("mood", text="message", n_classes=2)

Roles = ForecastRoles | SequenceRoles
WEATHER = replace(ROLES, targets=("min", "max"), past=(), ahead=(), levels=())
SVG = "{http://www.w3.org/2000/svg}"


def network(branches: str, **settings: Any) -> ModelSpec:
    return ModelSpec(parse_branches(branches), **{"context_length": 28, **settings})


def describe(model: Model, roles: Roles | None = None) -> Network:
    """The boxes of a network of either task."""
    if isinstance(model, SequenceModelSpec):
        assert not isinstance(roles, ForecastRoles)
        return describe_predictor(model, roles or LABELS)
    assert not isinstance(roles, SequenceRoles)
    return describe_forecaster(model, roles or ROLES)


def words(model: Model, roles: Roles | None = None) -> list[str]:
    """Titles of all boxes, layers as they are written, in the order of the computation."""
    found = describe(model, roles)
    layers = [" > ".join(str(layer.spec) for layer in stack) for stack in found.branches]
    return [*(box.title for box in found.before), *layers, *(box.title for box in (*found.merge, *found.after))]


def svg_of(model: Model, roles: Roles | None = None) -> str:
    return network_svg(describe(model, roles), model.architecture)


def drawn(model: Model, roles: Roles | None = None) -> ElementTree.Element:
    return ElementTree.fromstring(svg_of(model, roles))


def texts(svg: ElementTree.Element) -> list[str]:
    return [str(text.text) for text in svg.iter(f"{SVG}text")]


# --- what is said -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            network("lstm(64) > gru(32)"),
            [
                "28 steps of sales", "scale", "lstm(64) > gru(32)", "linear", "back to original units",
                "7 steps of sales",
            ],
        ),
        (
            network("lstm(64) | bi-gru(32)", merge="gate", pooling="additive", decoder="mlp"),
            [
                "28 steps of sales", "scale", "lstm(64)", "bi-gru(32)", "gate", "additive attention",
                "linear, ReLU, linear", "back to original units", "7 steps of sales",
            ],
        ),
        (
            network("lstm(64)", convolution=5, segment_length=7, input_noise=0.1),
            [
                "28 steps of sales", "scale", "noise", "convolution, ReLU", "segments of 7 steps", "linear, ReLU",
                "lstm(64)", "linear", "back to original units", "7 steps of sales",
            ],
        ),
        (
            network("gru(8)", linear_path=True),
            [
                "28 steps of sales", "scale", "gru(8)", "linear", "+ linear path", "back to original units",
                "7 steps of sales",
            ],
        ),
        (
            network("gru(128)", segment_length=7, normalization="last", decoder="parallel"),
            [
                "28 steps of sales", "subtract the last value", "segments of 7 steps", "linear, ReLU", "gru(128)",
                "the same layers, continued", "linear", "back to original units", "7 steps of sales",
            ],
        ),
        (
            network("fused(8)", transform="log_difference", normalization="mean", pooling="multihead", n_heads=4,
                    decoder="recurrent"),
            [
                "28 steps of sales", "logarithm", "changes from step to step", "scale each context", "linear, ReLU",
                "fused(8)", "the same layers, continued", "attention, 4 heads", "linear", "back to original units",
                "7 steps of sales",
            ],
        ),
    ],
    ids=["sequential", "branches", "convolution", "linear path", "segrnn", "recurrent"],
)  # fmt: skip
def test_the_boxes_are_in_the_order_of_the_computation(model: ModelSpec, expected: list[str]) -> None:
    assert words(model) == expected


@each_row(
    ("settings", "before", "after"),
    [
        ({}, "mean 0, deviation 1 over the training part", "× deviation, + mean"),
        ({"normalization": "series"}, "mean 0, deviation 1 over each series' training part",
         "× deviation, + mean of the series"),
        ({"normalization": "last"}, "of each context; then deviation 1 over each series' training part",
         "× deviation, + the last value"),
        ({"normalization": "window"}, "mean 0, deviation 1", "× deviation, + mean of the context"),
        ({"normalization": "mean"}, "by its mean absolute value", "× mean size of the context"),
        ({"transform": "difference"}, "deviation 1 over the training part", "× deviation, + the last value"),
        ({"transform": "difference", "normalization": "last"}, "deviation 1 over each series' training part",
         "× deviation, + the last value"),
        ({"transform": "difference", "normalization": "window"}, "deviation 1", "× deviation, + the last value"),
        ({"transform": "log"}, "mean 0, deviation 1 over the training part", "× deviation, + mean exponential"),
    ],
)  # fmt: skip
def test_what_is_done_to_values_is_undone(settings: dict[str, Any], before: str, after: str) -> None:
    found = describe(network("gru(8)", **settings), ROLES)

    assert " ".join(found.before[-1].lines) == before
    assert " ".join(found.after[-2].lines) == after


@pytest.mark.parametrize(
    ("model", "roles", "lines"),
    [
        (network("gru(8)"), ROLES, ["with visitors", "known ahead: holiday, day_of_week"]),
        (network("gru(8)"), WEATHER, ["min, max", "read together"]),
        (network("gru(8)", channels="independent"), WEATHER, ["min, max", "each separately, with shared weights"]),
        (
            network("gru(8)", series_embedding=4),
            replace(WEATHER, targets=("max",), static=("city",)),
            ["of the series: city", "and 4 learned features of each series"],
        ),
        (
            network("gru(8)"),
            replace(WEATHER, targets=tuple(f"t{number}" for number in range(9))),
            ["t0, t1, t2 and 6 more", "read together"],
        ),
    ],
)
def test_the_first_box_says_what_is_read(model: ModelSpec, roles: ForecastRoles, lines: list[str]) -> None:
    assert list(describe(model, roles).before[0].lines) == lines


@pytest.mark.parametrize(
    ("horizon", "segment_length", "decoder", "said"),
    [
        (7, 1, "parallel", "one step, from an embedding of the position for 7 steps of the horizon at once"),
        (7, 4, "parallel", "one step, from an embedding of the position for 2 segments of the horizon at once"),
        (1, 1, "parallel", "one step, from an embedding of the position for 1 step of the horizon at once"),
        (7, 4, "recurrent", "one step for each of 2 segments each reads the previous forecast"),
    ],
)
def test_a_decoder_that_goes_on_says_how_far(horizon: int, segment_length: int, decoder: str, said: str) -> None:
    model = network("gru(8)", segment_length=segment_length, decoder=decoder)
    box = describe(model, replace(WEATHER, horizon=horizon)).after[0]

    assert " ".join(box.lines) == said


@pytest.mark.parametrize(
    ("context_length", "said"), [(28, "28 steps → 4 segments"), (30, "30 steps → 5 segments; 5 steps of padding")]
)
def test_segments_are_counted(context_length: int, said: str) -> None:
    model = network("gru(8)", context_length=context_length, segment_length=7)

    assert describe(model, ROLES).before[2].lines == (said,)


@pytest.mark.parametrize(
    ("branches", "skips"),
    [
        ("lstm(8) > gru(8) > gru(4)", [["", "same", "linear"]]),
        ("bi-lstm(4) > gru(8)", [["", "same"]]),
        ("gru(4) > gru(8) | lstm(4)", [["", "linear"], [""]]),
    ],
)
def test_what_goes_around_a_layer_begins_with_the_second(branches: str, skips: list[list[str]]) -> None:
    with_skips = describe(network(branches, residual=True), ROLES)
    without = describe(network(branches), ROLES)

    assert [[layer.skip for layer in stack] for stack in with_skips.branches] == skips
    assert {layer.skip for stack in without.branches for layer in stack} == {""}


def test_the_roles_of_a_forecaster_are_those_of_the_study_file() -> None:
    data = {
        "target": ["a", "b"], "past_covariates": ["p"], "future_covariates": ["f"], "static_covariates": ["s"],
        "calendar": ["day_of_week"],
    }  # fmt: skip
    config = {"data": data, "forecast": {"horizon": 3, "levels": [0.5]}}

    expected = ForecastRoles(("a", "b"), ("p",), ("f", "day_of_week"), ("s",), 3, (0.5,))
    assert ForecastRoles.of_study(config) == expected
    assert ForecastRoles.of_study({**config, "data": {**data, "calendar": "auto"}}).ahead == ("f", "the calendar")
    assert ForecastRoles.of_study({**config, "data": {**data, "calendar": "none"}}).ahead == ("f",)


@pytest.mark.parametrize(
    ("data", "found", "roles"),
    [
        (
            {"target": "state", "channels": ["heat", "load"], "text": None},
            {"rows": 9, "channels": 2, "classes": 3},
            SequenceRoles("state", ("heat", "load"), n_channels=2, n_classes=3),
        ),
        # The columns of a wide table are steps, and a file of an archive has its own target.
        (
            {"target": None, "channels": ["t1", "t2"], "text": None},
            {"rows": 9, "channels": 1},
            SequenceRoles("the label", n_channels=1),
        ),
        ({"target": "mood", "channels": [], "text": "message"}, {"classes": 2}, MOODS),
    ],
    ids=["long", "wide", "text"],
)
def test_the_roles_of_a_predictor_are_those_of_the_study_file_and_its_data(
    data: dict[str, Any], found: dict[str, Any], roles: SequenceRoles
) -> None:
    assert SequenceRoles.of_study({"data": data}, found) == roles


def predictor(branches: str, **settings: Any) -> SequenceModelSpec:
    texts = {"embedding_size": 32, "normalization": "none"} if "tokens" in settings else {}
    return SequenceModelSpec(parse_branches(branches), **{"max_length": 30, **texts, **settings})


@pytest.mark.parametrize(
    ("model", "roles", "expected"),
    [
        (
            predictor("bi-lstm(8)", pooling="max"),
            LABELS,
            [
                "up to 30 steps of a sequence", "scale", "bi-lstm(8)", "maximum", "linear", "softmax",
                "probabilities of 3 classes",
            ],
        ),
        (
            predictor("gru(8) | fused(4)", normalization="none", segment_length=4, head="mlp"),
            replace(LABELS, n_classes=0),
            [
                "up to 30 steps of a sequence", "segments of 4 steps", "linear, ReLU", "gru(8)", "fused(4)",
                "concatenation", "linear, ReLU, linear", "back to original units", "state",
            ],
        ),
        (
            predictor("lstm(8)", convolution=3, fcn_filters=16, pooling="max", input_noise=0.1),
            LABELS,
            [
                "up to 30 steps of a sequence", "scale", "noise", "convolution, ReLU", "lstm(8)", "maximum",
                "+ convolutional branch", "linear", "softmax", "probabilities of 3 classes",
            ],
        ),
        (
            predictor("lstm(8)", tokens="word", pooling="additive"),
            MOODS,
            [
                "up to 30 words of a text", "embedding", "lstm(8)", "additive attention", "linear", "softmax",
                "probabilities of 2 classes",
            ],
        ),
    ],
    ids=["classes", "numbers", "convolutions", "texts"],
)  # fmt: skip
def test_the_boxes_of_a_predictor_are_in_the_order_of_the_computation(
    model: SequenceModelSpec, roles: Roles, expected: list[str]
) -> None:
    assert words(model, roles) == expected


@pytest.mark.parametrize(
    ("model", "place", "lines"),
    [
        (predictor("gru(8)"), 0, ["2 channels", "heat, load"]),
        (predictor("gru(8)"), 1, ["mean 0, deviation 1 over the training part"]),
        (predictor("gru(8)", normalization="sequence"), 1, ["mean 0, deviation 1"]),
        (predictor("gru(8)", segment_length=4), 2, ["up to 30 steps → 8 segments"]),
        (predictor("gru(8)", tokens="character"), 1, ["32 learned features for each character"]),
        (
            predictor("gru(8)", tokens="word", min_count=2, token_dropout=0.125),
            1,
            ["32 learned features for each word", "that occurs at least 2 times in training",
             "12% are masked during training"],
        ),
    ],
)  # fmt: skip
def test_a_box_of_a_predictor_says_what_is_done(model: SequenceModelSpec, place: int, lines: list[str]) -> None:
    assert list(describe(model, LABELS).before[place].lines) == lines


def test_dropout_of_tokens_comes_before_what_reads_them() -> None:
    step_by_step = describe(predictor("gru(8) > gru(4)", tokens="word", dropout=0.2), MOODS)
    in_segments = describe(predictor("gru(8)", tokens="word", dropout=0.2, segment_length=3), MOODS)
    numbers = describe(predictor("gru(8) > gru(4)", dropout=0.2), LABELS)

    assert [layer.dropout for layer in step_by_step.branches[0]] == [0.2, 0.2]
    assert [layer.dropout for layer in in_segments.branches[0]] == [0.0]
    assert in_segments.before[2].arrow == "dropout 0.2"
    assert [layer.dropout for layer in numbers.branches[0]] == [0.0, 0.2]


# --- what is drawn ----------------------------------------------------------------------------------------------------

DRAWN = {
    "sequential": network("lstm(64) > gru(32)", dropout=0.2),
    "deep, residual": network("lstm(64) > gru(64) > gru(16)", residual=True, layer_norm=True),
    "two branches, gate": network("lstm(64) > gru(32) | gru(64)", merge="gate", residual=True, dropout=0.25),
    "bidirectional": network("bi-lstm(64) > bi-gru(64)", residual=True, pooling="multihead", n_heads=2),
    "segrnn": network("gru(512)", segment_length=7, normalization="last", decoder="parallel", channels="independent"),
    "three branches": network("lstm(8) > gru(128) | bi-fused(100) | gru(7)", merge="sum", residual=True),
    "attention while going on": network("lstm(8)", decoder="recurrent", pooling="additive"),
    "labels": predictor("bi-lstm(64) > gru(8) | gru(32)", residual=True, pooling="multihead", segment_length=3),
    "texts": predictor("bi-fused(64)", tokens="character", min_count=3, token_dropout=0.1, dropout=0.3, head="mlp"),
}


@pytest.mark.parametrize("model", DRAWN.values(), ids=DRAWN)
def test_every_layer_is_drawn_with_its_cell_and_width(model: Model) -> None:
    shown = texts(drawn(model))
    for layer in (layer for stack in model.branches for layer in stack):
        name = layer.cell.upper() if layer.cell in ("lstm", "gru") else layer.cell
        if layer.bidirectional:
            assert f"bi-{name}" in shown
            assert {f"→ {layer.hidden_size}", f"← {layer.hidden_size}"} <= set(shown)
        else:
            assert name in shown
            assert f"{layer.hidden_size} units" in shown


@pytest.mark.parametrize("model", DRAWN.values(), ids=DRAWN)
def test_a_diagram_fits_a_phone_and_its_boxes_do_not_overlap(model: Model) -> None:
    svg = drawn(model)
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])

    assert width <= 360
    assert svg.attrib["viewBox"] == f"0 0 {svg.attrib['width']} {svg.attrib['height']}"
    boxes = [{key: float(value) for key, value in box.attrib.items() if key in ("x", "y", "width", "height")}
             for box in svg.iter(f"{SVG}rect")]  # fmt: skip
    assert min(box["x"] for box in boxes) >= 0
    assert max(box["x"] + box["width"] for box in boxes) <= width
    assert max(box["y"] + box["height"] for box in boxes) <= height
    lines = [float(x) for path in svg.iter(f"{SVG}path") for x in re.findall(r"[MHL] (-?[\d.]+)", path.attrib["d"])]
    assert 0 <= min(lines) <= max(lines) <= width
    solid = [box for box in svg.iter(f"{SVG}rect") if box.attrib.get("rx")]
    places = [tuple(float(box.attrib[key]) for key in ("x", "y", "width", "height")) for box in solid]
    for (x, y, w, h), (other_x, other_y, other_w, other_h) in combinations(places, 2):
        assert x >= other_x + other_w or other_x >= x + w or y >= other_y + other_h or other_y >= y + h


@pytest.mark.parametrize(
    ("model", "sums", "maps"),
    [
        (DRAWN["sequential"], 0, 0),
        (DRAWN["deep, residual"], 2, 1),
        (DRAWN["two branches, gate"], 1, 1),
        (DRAWN["bidirectional"], 1, 0),
    ],
)
def test_residual_connections_end_in_a_sum(model: Model, sums: int, maps: int) -> None:
    svg = drawn(model)

    assert sum(circle.attrib["r"] == "7" for circle in svg.iter(f"{SVG}circle")) == sums
    upright = [text for text in svg.iter(f"{SVG}text") if "rotate" in text.attrib.get("transform", "")]
    assert [text.text for text in upright] == ["linear"] * maps


@pytest.mark.parametrize(("model", "count"), [(DRAWN["segrnn"], 0), (DRAWN["attention while going on"], 1)])
def test_attention_of_a_decoder_that_goes_on_looks_back_at_the_context(model: ModelSpec, count: int) -> None:
    assert sum(circle.attrib["r"] == "2.5" for circle in drawn(model).iter(f"{SVG}circle")) == count


def test_each_branch_has_a_color_for_its_cell() -> None:
    fills = [box.attrib["class"] for box in drawn(network("lstm(8) | gru(8) | fused(8)")).iter(f"{SVG}rect")]

    assert len({fill for fill in fills if fills.count(fill) == 1}) == 3


def test_names_cannot_break_out_of_the_diagram() -> None:
    name = "<script>alert(1)</script>&\"'"
    svg = svg_of(network("gru(8)"), ForecastRoles((name,), (name,), (name,), (name,), 3))

    assert "<script" not in svg
    said = " ".join(texts(ElementTree.fromstring(svg)))
    assert "of <script>alert(1)" in said


def test_long_names_are_cut() -> None:
    long = "x" * 300
    svg = drawn(network("gru(8)"), ForecastRoles((long,), (long, "y" * 300), horizon=3))

    assert max(len(text) for text in texts(svg)) < 50


def test_the_diagram_says_what_it_is_to_those_who_cannot_see_it() -> None:
    svg = drawn(DRAWN["sequential"])

    assert svg.attrib["role"] == "img"
    assert svg.findtext(f"{SVG}title") == "Diagram of the network lstm(64) > gru(32)"
