"""A bundle forecasts what the trained model forecast, and refuses what it cannot read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import make_panel
from markdown_it import MarkdownIt

from lstmgru.bundle import Bundle, example_frame, load_bundle, save_bundle
from lstmgru.bundle.directory import replacing
from lstmgru.bundle.format import plain
from lstmgru.bundle.markdown import code, escape
from lstmgru.bundle.pyfunc import _load_pyfunc
from lstmgru.data.panel import build_panel
from lstmgru.data.scaling import StandardScaler
from lstmgru.data.series import SeriesPanel
from lstmgru.errors import BundleError, DataError
from lstmgru.nn.network import ForecastNetwork
from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec, parse_layers

CONTEXT, HORIZON = 6, 3
FILES = ["MODEL_CARD.md", "bundle.json", "weights.safetensors"]


def bundle_of(panel: SeriesPanel, seed: int = 0, **settings: Any) -> Bundle:
    torch.manual_seed(seed)
    model = ModelSpec(parse_layers("lstm(5) > gru(4)"), CONTEXT, dropout=0.2, normalization="last")
    network = ForecastNetwork(
        model,
        n_inputs=len(panel.channels),
        n_future=panel.n_future,
        n_targets=panel.n_targets,
        horizon=HORIZON,
    )
    values = {
        "network": network,
        "scaler": StandardScaler.fit(panel.values, np.stack([panel.offsets[:-1], panel.offsets[1:]], axis=1)),
        "model_spec": model,
        "train_spec": TrainSpec(batch_size=8, loss="huber", seed=3),
        "forecast": ForecastSpec(HORIZON, 7, "rmse"),
        "schema": panel.schema,
        "frequency": panel.frequency,
        "step": panel.step,
        "timezone": panel.timezone,
        "ids": panel.ids.tolist(),
        "metrics": {"holdout": {"rmse": 1.5, "mae": 1.0}, "baselines": {"naive": 2.0}, "verdict": "It is better."},
        "provenance": {"study": "shops", "seed": 3, "data": {"rows": 50}},
    }
    return Bundle(**(values | settings))


def table(
    rows: int = 24, *, shops: tuple[Any, ...] = (), targets: int = 1, ahead: int = 0, times: Any = None
) -> pd.DataFrame:
    """Sales and visits, with a price known for ``ahead`` more days; a table of several shops has its rows mixed."""
    generator = np.random.default_rng(0)
    frames = []
    for name in shops or (None,):
        when = pd.date_range("2020-03-20", periods=rows, freq="D") if times is None else times
        frame = pd.DataFrame({"day": when} | ({} if name is None else {"shop": name}))
        for column in (*(f"sales {n}" for n in range(targets)), "visits"):
            frame[column] = 20 + 5 * generator.random(rows)
            frame.loc[rows - ahead :, column] = np.nan
        frames.append(frame.assign(price=generator.random(rows)))
    return pd.concat(frames).sample(frac=1, random_state=0) if shops else frames[0]


def panel_of(frame: pd.DataFrame, *, ahead: int = 0, **settings: Any) -> SeriesPanel:
    known = frame[frame["visits"].notna()] if ahead else frame
    roles = {"past_covariates": ["visits"], "future_covariates": ["price"] if ahead else []}
    return build_panel(
        known,
        time="day",
        id="shop" if "shop" in frame else None,
        targets=[column for column in frame if str(column).startswith("sales")],
        source="shops.csv",
        **(roles | settings),
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two shops, without ONNX."""
    frame = table(shops=("a", "b"))
    return save_bundle(tmp_path_factory.mktemp("models") / "shops.bundle", bundle_of(panel_of(frame)), onnx=False)


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "shops.bundle"))


def test_a_loaded_bundle_is_the_saved_one(tmp_path: Path) -> None:
    frame = table(rows=27, shops=(3, 20), targets=2, ahead=HORIZON)
    bundle = bundle_of(panel_of(frame, ahead=HORIZON), gaps="fill")
    loaded = load_bundle(save_bundle(tmp_path / "deep" / "shops.bundle", bundle, onnx=False))
    for name in ("model_spec", "train_spec", "forecast", "schema", "frequency", "step", "timezone", "ids", "gaps"):
        assert getattr(loaded, name) == getattr(bundle, name), name
    assert loaded.metrics == bundle.metrics
    assert loaded.provenance.items() >= bundle.provenance.items()
    np.testing.assert_array_equal(loaded.scaler.mean, bundle.scaler.mean)
    np.testing.assert_array_equal(loaded.scaler.scale, bundle.scaler.scale)
    pd.testing.assert_frame_equal(loaded.predict(frame), bundle.predict(frame), check_exact=True)


def test_a_bundle_forecasts_what_the_training_code_forecasts() -> None:
    from lstmgru.training.fit import predict

    panel = make_panel((40, 30), targets=2, past=1, future=2)
    bundle = bundle_of(panel)
    cutoffs = np.array([6, 20, 37, 46, 67])
    rows = cutoffs[:, None] + np.arange(-CONTEXT, 0)
    ahead = cutoffs[:, None] + np.arange(HORIZON)
    forecast = bundle.forecast_array(panel.values[rows], panel.values[ahead][..., -2:])
    expected = predict(bundle.network, bundle.scaler, panel, cutoffs, bundle.forecast)
    assert forecast.shape == (5, HORIZON, 2)
    np.testing.assert_allclose(forecast, expected, rtol=1e-6)


def test_many_windows_are_forecast_as_one_by_one() -> None:
    bundle = bundle_of(make_panel((40,), future=1))
    generator = np.random.default_rng(0)
    past = generator.random((1030, CONTEXT, 2), np.float32)
    future = generator.random((1030, HORIZON, 1), np.float32)
    together = bundle.forecast_array(past, future)
    for index in (0, 1023, 1024, 1029):
        alone = bundle.forecast_array(past[index : index + 1], future[index : index + 1])[0]
        np.testing.assert_allclose(together[index], alone, rtol=1e-4, atol=1e-5)
    assert bundle.forecast_array(past[:0], future[:0]).shape == (0, HORIZON, 1)


def test_dropout_is_off_whatever_the_network_was_last_used_for() -> None:
    panel = make_panel((40,))
    trained = bundle_of(panel).network.train()
    bundle = replace(bundle_of(panel), network=trained)
    past, future = panel.values[None, :CONTEXT], np.zeros((1, HORIZON, 0), np.float32)
    np.testing.assert_array_equal(bundle.forecast_array(past, future), bundle.forecast_array(past, future))


@pytest.mark.parametrize(
    ("past", "future", "match"),
    [
        ((2, CONTEXT + 1, 2), (2, HORIZON, 1), r"past must have the shape \(2, 6, 2\) but has \(2, 7, 2\)"),
        ((2, CONTEXT, 2), (1, HORIZON, 1), r"future must have the shape \(2, 3, 1\) but has \(1, 3, 1\)"),
        ((2, CONTEXT, 2), (2, HORIZON, 0), r"future must have the shape \(2, 3, 1\) but has \(2, 3, 0\)"),
    ],
)
def test_arrays_of_another_shape_are_refused(past: tuple[int, ...], future: tuple[int, ...], match: str) -> None:
    bundle = bundle_of(make_panel((40,), future=1))
    with pytest.raises(DataError, match=match):
        bundle.forecast_array(np.zeros(past, np.float32), np.zeros(future, np.float32))


def test_forecasts_stand_in_the_order_of_series_time_and_target() -> None:
    frame = table(shops=(20, 3), targets=2)
    bundle = bundle_of(panel_of(frame))
    forecasts = bundle.predict(frame)
    assert list(forecasts.columns) == ["shop", "day", "target", "forecast"]
    assert forecasts["shop"].tolist() == [3] * 6 + [20] * 6
    days = ["2020-04-13", "2020-04-14", "2020-04-15"]
    assert forecasts["day"].tolist() == [pd.Timestamp(day) for day in days for _ in "ab"] * 2
    assert forecasts["target"].tolist() == ["sales 0", "sales 1"] * 6
    alone = bundle.predict(frame[frame["shop"] == 20])
    np.testing.assert_allclose(forecasts["forecast"][6:], alone["forecast"], rtol=1e-5)


def test_forecasts_are_in_the_units_of_the_table() -> None:
    frame = table()
    assert bundle_of(panel_of(frame)).predict(frame)["forecast"].between(10, 35).all()


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (np.arange(100, 220, 5), [220, 225, 230]),
        (pd.date_range("2020-03-20", periods=24, freq="D"), pd.date_range("2020-04-13", periods=3)),
        (
            pd.date_range("2020-03-07", periods=24, freq="D", tz="Europe/Paris"),
            pd.date_range("2020-03-31", periods=3, tz="Europe/Paris"),
        ),
        (
            pd.date_range("2020-03-28 02:00", periods=24, freq="h", tz="Europe/Paris"),
            pd.date_range("2020-03-29 03:00", periods=3, freq="h", tz="Europe/Paris"),
        ),
    ],
    ids=["steps", "dates", "days with a time zone", "into summer time"],
)
def test_forecasts_carry_times_of_the_tables_own_kind(times: Any, expected: Any, tmp_path: Path) -> None:
    frame = table(times=times)
    bundle = load_bundle(save_bundle(tmp_path / "bundle", bundle_of(panel_of(frame)), onnx=False))
    found = pd.Index(bundle.predict(frame)["day"])
    assert found.equals(pd.Index(expected))
    assert getattr(found, "tz", None) == getattr(expected, "tz", None)


def test_a_column_with_our_name_keeps_it() -> None:
    frame = table(shops=("a", "b")).rename(columns={"shop": "target", "day": "forecast"})
    panel = build_panel(frame, time="forecast", id="target", targets=["sales 0"], source="shops.csv")
    assert list(bundle_of(panel).predict(frame).columns) == ["target", "forecast", "target_", "forecast_"]


def test_a_table_that_does_not_fit_is_refused_by_its_name() -> None:
    frame = table()
    bundle = bundle_of(panel_of(frame))
    with pytest.raises(DataError, match=r"new\.csv: .*'visits'"):
        bundle.predict(frame.drop(columns="visits"), source="new.csv")
    with pytest.raises(DataError, match="frequency"):
        bundle.predict(frame.iloc[::2], source="new.csv")


def test_gaps_are_treated_as_in_training() -> None:
    frame = table()
    bundle = bundle_of(panel_of(frame))
    gap = frame.drop(index=20)
    with pytest.raises(DataError, match="lacks 1 of the 6 rows"):
        bundle.predict(gap)
    filled = frame.copy()
    filled.loc[20, ["sales 0", "visits"]] = frame.loc[19, ["sales 0", "visits"]]
    pd.testing.assert_frame_equal(replace(bundle, gaps="fill").predict(gap), bundle.predict(filled))


def test_two_saves_have_the_same_weights(tmp_path: Path) -> None:
    bundle = bundle_of(make_panel((40,)))
    first = save_bundle(tmp_path / "first", bundle, onnx=False)
    second = save_bundle(tmp_path / "second", load_bundle(first), onnx=False)
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (first, second)]
    assert weights[0] == weights[1]
    described = [json.loads((folder / "bundle.json").read_text()) for folder in (first, second)]
    assert described[0]["weights"]["sha256"] == hashlib.sha256(weights[0]).hexdigest()
    assert described[0] == described[1], "a bundle that is saved again keeps its origin"


def test_the_description_is_strict_json(tmp_path: Path) -> None:
    metrics = {"holdout": {"mase": float("nan"), "rmse": np.float32(1.5)}, "baselines": {"naive": float("inf")}}
    bundle = bundle_of(make_panel((40,)), metrics=metrics, provenance={"day": date(2020, 1, 2), "file": Path("a.csv")})
    folder = save_bundle(tmp_path / "bundle", bundle, onnx=False)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    document = json.loads((folder / "bundle.json").read_text(), parse_constant=refuse)
    assert document["metrics"] == {"holdout": {"mase": None, "rmse": 1.5}, "baselines": {"naive": None}}
    assert document["provenance"].items() >= {"day": "2020-01-02", "file": "a.csv"}.items()
    assert document["provenance"]["versions"]["torch"] == torch.__version__
    assert "undefined" in (folder / "MODEL_CARD.md").read_text()


def test_what_json_cannot_hold_is_refused_with_its_place() -> None:
    with pytest.raises(BundleError, match=r"provenance\.list\.1 .* but is a complex"):
        plain({"list": [1, 2j]}, "provenance")


def edit(*path: str, to: Any) -> Callable[[Path], None]:
    """A change of one key of ``bundle.json``."""

    def change(folder: Path) -> None:
        document = json.loads((folder / "bundle.json").read_text())
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        if to is None:
            del inner[path[-1]]
        else:
            inner[path[-1]] = to
        (folder / "bundle.json").write_text(json.dumps(document))

    return change


def write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(content)


def replace_weights(content: bytes) -> Callable[[Path], None]:
    """Other weights, with their true digest."""

    def change(folder: Path) -> None:
        write("weights.safetensors", content)(folder)
        edit("weights", "sha256", to=hashlib.sha256(content).hexdigest())(folder)

    return change


PICKLE = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (shutil.rmtree, "shops.bundle does not exist: give a directory"),
        (lambda folder: (folder / "bundle.json").unlink(), "no complete bundle: bundle.json is missing"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "weights.safetensors is missing"),
        (write("bundle.json", b""), "bundle.json is damaged: Expecting value"),
        (write("bundle.json", b'{"format_version": 1, '), "bundle.json is damaged"),
        (write("bundle.json", b"\xff\xfe"), "bundle.json is damaged"),
        (write("bundle.json", b"[" * 100_000), "bundle.json is damaged"),
        (write("bundle.json", b"[]"), "must hold a JSON object but holds a list"),
        (edit("format_version", to=2), "has the format version 2 but this program reads 1"),
        (edit("format_version", to=None), "has the format version None"),
        (edit("forecast", to=None), "bundle.json lacks 'forecast'; export the model again"),
        (edit("forecast", to=[]), "bundle.json holds what it cannot"),
        (edit("forecast", "horizon", to="3"), "bundle.json holds what it cannot"),
        (edit("forecast", "hroizon", to=3), "holds what it cannot .*hroizon"),
        (edit("model", "layers", to="lstn(5) > gru(4)"), "did you mean 'lstm'"),
        (edit("training", "loss", to="maee"), "did you mean 'mae'"),
        (edit("data", "frequency", to="fortnight"), "holds what it cannot"),
        (edit("data", "gaps", to="ignore"), "holds what it cannot"),
        (edit("data", "schema", "targets", to=["sales 0", "sales 1"]), "scaler of 6 channels for 7 inputs"),
        (edit("scaler", "scale", to=[0.0] * 6), "not positive"),
        (edit("scaler", "mean", to=["x"] * 6), "holds what it cannot"),
        (edit("weights", "sha256", to="0" * 64), "is not the file that bundle.json describes"),
        (flip_a_bit, "weights.safetensors is not the file"),
        (write("example.json", b"{"), "example.json is damaged: .*; export the model again"),
        (write("example.json", b'{"columns": ["day", "shop"], "data": [[1]]}'), "example.json is damaged"),
        (write("example.json", b"[]"), "example.json is damaged"),
        (replace_weights(b"short"), "weights.safetensors is damaged"),
        (replace_weights(PICKLE), "weights.safetensors is damaged"),
        (edit("model", "layers", to="lstm(6) > gru(4)"), "does not fit the architecture: .*float32"),
        (
            edit("model", "layers", to="lstm(5) > gru(4) > gru(4)"),
            r"stack.layers.2.* is missing but must be float32\[12",
        ),
    ],
)
def test_a_damaged_bundle_is_refused_in_one_line(copy: Path, damage: Callable[[Path], None], match: str) -> None:
    damage(copy)
    with pytest.raises(BundleError, match=match) as caught:
        load_bundle(copy)
    assert "\n" not in str(caught.value)


def test_a_file_is_no_bundle(saved: Path) -> None:
    with pytest.raises(BundleError, match=r"bundle\.json is a file, not the directory of a bundle"):
        load_bundle(saved / "bundle.json")


def test_loading_leaves_the_random_state_alone(saved: Path) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    load_bundle(saved)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_loading_and_predicting_unpickle_nothing_and_need_torch_alone(saved: Path, tmp_path: Path) -> None:
    table(shops=("a", "b")).to_csv(tmp_path / "new.csv", index=False)
    script = f"""
import sys
def watch(event, arguments):
    if event == "pickle.find_class":
        raise SystemExit(f"unpickled {{arguments}}")
from lstmgru.bundle import load_bundle
import pandas
sys.addaudithook(watch)
assert len(load_bundle({str(saved)!r}).predict(pandas.read_csv({str(tmp_path / "new.csv")!r}))) == {2 * HORIZON}
heavy = {{"lightning", "sklearn", "onnx", "onnxruntime", "onnxscript", "mlflow", "optuna", "search"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_saving_replaces_an_earlier_bundle(copy: Path) -> None:
    (copy / "model.onnx").write_bytes(b"of an earlier save")
    save_bundle(copy, bundle_of(make_panel((40,)), metrics={}), onnx=False)
    assert sorted(path.name for path in copy.iterdir()) == FILES
    assert os.listdir(copy.parent) == ["shops.bundle"]
    assert load_bundle(copy).metrics == {}


def test_saving_replaces_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BundleError, match="exists and is no bundle: remove it or choose another directory"):
        save_bundle(tmp_path, bundle_of(make_panel((40,))), onnx=False)
    assert os.listdir(tmp_path) == ["thesis.tex"]
    with pytest.raises(BundleError, match="exists and is no bundle"):
        save_bundle(tmp_path / "thesis.tex", bundle_of(make_panel((40,))), onnx=False)


def test_a_save_that_fails_leaves_the_earlier_bundle(copy: Path) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    with pytest.raises(BundleError, match="provenance"):
        save_bundle(copy, bundle_of(make_panel((40,)), provenance={"x": object()}), onnx=False)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert os.listdir(copy.parent) == ["shops.bundle"]


def in_a_child(action: Callable[[], object]) -> int:
    """Run something in a forked process and return the signal that ended it, 0 if it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            action()
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("calls", range(8))
def test_a_kill_leaves_the_old_bundle_or_the_new(copy: Path, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """The kill comes right before the nth call that changes the disk: mkdir, three files, three renames, none."""
    new = bundle_of(make_panel((40,)), metrics={"new": True})
    left = calls

    def save() -> None:
        for owner, name in ((Path, "mkdir"), (Path, "write_bytes"), (Path, "write_text"), (Path, "rename")):
            original = getattr(owner, name)

            def counted(*arguments: Any, original: Any = original, **keywords: Any) -> Any:
                nonlocal left
                if not keywords.get("parents"):
                    left -= 1
                    if left < 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                return original(*arguments, **keywords)

            monkeypatch.setattr(owner, name, counted)
        save_bundle(copy, new, onnx=False)

    ended = in_a_child(save)
    assert ended == (signal.SIGKILL if calls < 7 else 0)
    found = load_bundle(copy)
    assert ("new" in found.metrics) == (calls >= 6)
    with pytest.raises(BundleError, match="provenance"):
        save_bundle(copy, replace(new, provenance={"x": object()}), onnx=False)
    assert ("new" in load_bundle(copy).metrics) == (calls >= 6), "a save that fails next loses nothing either"
    save_bundle(copy, replace(new, metrics={"newer": True}), onnx=False)
    assert os.listdir(copy.parent) == ["shops.bundle"]
    assert load_bundle(copy).metrics == {"newer": True}


def test_only_what_dead_writers_left_is_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        f".model.partial-{dead.pid}": False,
        f".model.partial-{os.getppid()}": True,
        f".model.partial-{os.getpid()}": False,
        f".mod.partial-{dead.pid}": True,
        ".model.partial-notes": True,
        ".model.previous": False,
    }
    for name in names:
        (tmp_path / name).mkdir()
    save_bundle(tmp_path / "model", bundle_of(make_panel((40,))), onnx=False)
    assert {name: (tmp_path / name).exists() for name in names} == names


def test_a_bundle_directory_is_as_readable_as_any(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with replacing(tmp_path / "model") as partial:
        (partial / "bundle.json").touch()
    assert (tmp_path / "model").stat().st_mode == (tmp_path / "other").stat().st_mode


NASTY = "a|b `c` <img src=x onerror=y> [z](http://evil.example) *w* \\| www.evil.example\n# h ~~s~~ &amp; $m$"


@pytest.mark.parametrize("text", [NASTY, "`", "``x", "\\", "a\\", "\x1b[31mred", "http://evil.example", "", "***"])
def test_text_stays_text_in_markdown(text: str) -> None:
    parser = MarkdownIt("gfm-like", {"linkify": False})
    shown = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    row = parser.parse(f"|a|b|\n|---|---|\n| x | {escape(text)} |")
    cells = [token.children for token in row if token.type == "inline"]
    assert len(cells) == 4
    assert {child.type for child in cells[3] or []} <= {"text", "text_special"}
    assert "".join(child.content for child in cells[3] or []) == shown
    (inline,) = [token for token in parser.parse(f"x {code(text)} y") if token.type == "inline"]
    assert [child.content for child in inline.children or []][1:2] in ([shown], ["  "] if not shown else [shown])


def test_the_card_survives_names_that_look_like_markdown(tmp_path: Path) -> None:
    frame = table(shops=(NASTY, "</details>")).rename(columns={"visits": NASTY, "shop": "```", "day": "| --- |"})
    panel = build_panel(
        frame, time="| --- |", id="```", targets=["sales 0"], past_covariates=[NASTY], source="shops.csv"
    )
    bundle = bundle_of(panel, metrics={"holdout": {"rmse": 1.0}, "verdict": NASTY, "baselines": {NASTY: 2.0}})
    card = (save_bundle(tmp_path / "bundle", bundle, onnx=False) / "MODEL_CARD.md").read_text()
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(card)
    kinds = {child.type for token in tokens for child in token.children or []} | {token.type for token in tokens}
    assert not kinds & {"html_inline", "html_block", "link_open", "em_open", "s_open", "image"}
    assert sum(token.type == "heading_open" for token in tokens) == 6
    rows = [sum(t.type in ("td_open", "th_open") for t in part) for part in split_rows(tokens)]
    assert rows == [2] * len(rows)


def split_rows(tokens: list[Any]) -> list[list[Any]]:
    starts = [index for index, token in enumerate(tokens) if token.type == "tr_open"]
    return [tokens[start:end] for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True)]


def test_the_card_says_what_the_model_is_and_how_good(saved: Path) -> None:
    card = (saved / "MODEL_CARD.md").read_text()
    for part in ("# Forecasts of `sales 0`", "`lstm(5) > gru(4)`", "at least 6 rows", "**Verdict:** It is better."):
        assert part in card, part
    assert card.index("| **this model** | 1.5 |") < card.index("| naive | 2 |")
    assert "rmse in original units" in card
    assert "onnxruntime.InferenceSession" not in card


def test_a_card_without_scores_says_so(tmp_path: Path) -> None:
    bundle = bundle_of(make_panel((40,)), metrics={}, provenance={})
    assert "has not been scored" in (save_bundle(tmp_path / "b", bundle, onnx=False) / "MODEL_CARD.md").read_text()


def test_the_python_of_the_card_runs(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(shops=("a", "b")).to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.chdir(tmp_path)
    (snippet,) = re.findall(r"```python\n(.*?)```", (saved / "MODEL_CARD.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet.replace("path/to/this/bundle", str(saved)), names)
    assert len(names["forecasts"]) == 2 * HORIZON


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(day=[when.isoformat() for when in frame["day"]])


PARIS = pd.date_range("2020-03-17", periods=24, freq="D", tz="Europe/Paris")


@pytest.mark.parametrize(
    ("frame", "change"),
    [
        (table(), as_text),
        (table(), lambda frame: frame.astype({"day": "datetime64[s]"})),
        (table(), lambda frame: frame.astype({"day": object})),
        (table(times=PARIS), as_text),
        (table(times=PARIS), lambda frame: frame.assign(day=frame["day"].dt.tz_convert("UTC"))),
        (table(times=np.arange(24)), lambda frame: frame.astype({"day": float})),
        (table(shops=(1, 2)), lambda frame: frame.astype({"shop": float})),
        (table(shops=("a", "b")), lambda frame: frame.astype({"visits": str})),
    ],
    ids=["text", "seconds", "objects", "two offsets", "utc", "float steps", "float ids", "numbers as text"],
)
def test_a_served_model_undoes_what_transport_did(
    frame: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], tmp_path: Path
) -> None:
    bundle = bundle_of(panel_of(frame))
    served = _load_pyfunc(str(save_bundle(tmp_path / "bundle", bundle, onnx=False)))
    pd.testing.assert_frame_equal(served.predict(change(frame.copy()), params=None), bundle.predict(frame))


@pytest.mark.parametrize("times", [None, PARIS], ids=["model without a time zone", "model with one"])
def test_a_served_model_guesses_no_time_zone(times: Any, tmp_path: Path) -> None:
    frame = table(times=times)
    served = _load_pyfunc(str(save_bundle(tmp_path / "bundle", bundle_of(panel_of(frame)), onnx=False)))
    other = frame.assign(day=frame["day"].dt.tz_localize(None if times is not None else "UTC"))
    for form in (other, as_text(other)):
        with pytest.raises(DataError, match="time zone"):
            served.predict(form)


@pytest.mark.parametrize(
    ("frame", "ahead", "columns"),
    [
        (table(), 0, ["day", "sales 0", "visits"]),
        (table(shops=(7, 8), targets=2), 0, ["shop", "day", "sales 0", "sales 1", "visits"]),
        (table(rows=27, shops=("a", "b"), ahead=3), 3, ["shop", "day", "sales 0", "visits", "price"]),
        (table(times=PARIS), 0, ["day", "sales 0", "visits"]),
        (table(times=np.arange(0, 48, 2)), 0, ["day", "sales 0", "visits"]),
    ],
    ids=["one series", "two targets", "future covariates", "time zone", "steps"],
)
def test_an_example_is_a_table_that_the_model_takes(frame: pd.DataFrame, ahead: int, columns: list[str]) -> None:
    panel = panel_of(frame, ahead=ahead)
    bundle = bundle_of(panel)
    example = example_frame(panel, CONTEXT, HORIZON)
    assert list(example.columns) == columns
    assert len(example) == CONTEXT + (HORIZON if ahead else 0)
    known = frame[frame["visits"].notna()]
    series = known if "shop" not in frame else known[known["shop"] == panel.ids[0]]
    last = series.sort_values("day").iloc[[-1]]
    assert example["day"].iloc[-1] == last["day"].item()
    assert example["day"].dtype == panel_of(frame, ahead=ahead).times.dtype or bundle.timezone
    forecasts = bundle.predict(example)
    if not ahead:
        whole = bundle.predict(frame)
        expected = whole if "shop" not in frame else whole[whole["shop"] == panel.ids[0]]
        pd.testing.assert_frame_equal(forecasts, expected, rtol=1e-5)
    else:
        assert forecasts["day"].iloc[-1] == last["day"].item()
        assert example[["sales 0", "visits"]].tail(HORIZON).isna().all(axis=None)
        assert example["price"].notna().all()


@pytest.mark.parametrize(
    ("frame", "ahead"),
    [
        (table(), 0),
        (table(shops=("NA", "b")), 0),
        (table(shops=("007", "8")), 0),
        (table(rows=27, shops=(7, 8), ahead=3), 3),
        (table(times=PARIS), 0),
        (table(times=pd.date_range("2020-03-28 02:00", periods=24, freq="h", tz="Europe/Paris")), 0),
        (table(times=np.arange(0, 48, 2)), 0),
    ],
    ids=["one series", "NA", "007", "future covariates", "time zone", "into summer time", "steps"],
)
def test_a_loaded_bundle_forecasts_the_same_from_its_example(frame: pd.DataFrame, ahead: int, tmp_path: Path) -> None:
    panel = panel_of(frame, ahead=ahead)
    example = example_frame(panel, CONTEXT, HORIZON)
    bundle = bundle_of(panel, example=example)
    folder = save_bundle(tmp_path / "bundle", bundle, onnx=False)
    loaded = load_bundle(folder)
    assert loaded.example is not None
    values = example.columns.drop("day")
    pd.testing.assert_frame_equal(loaded.example[values], example[values])
    if "day" in example.select_dtypes(["datetime", "datetimetz"]):
        assert loaded.example["day"].tolist() == [when.isoformat() for when in example["day"]]
    pd.testing.assert_frame_equal(loaded.predict(loaded.example), bundle.predict(example))
    pd.testing.assert_frame_equal(_load_pyfunc(str(folder)).predict(loaded.example), bundle.predict(example))
    again = save_bundle(tmp_path / "again", loaded, onnx=False)
    assert (again / "example.json").read_bytes() == (folder / "example.json").read_bytes()


def test_a_bundle_need_not_have_an_example(saved: Path) -> None:
    assert not (saved / "example.json").exists()
    assert load_bundle(saved).example is None
    assert "example.json" not in (saved / "MODEL_CARD.md").read_text()


def test_the_card_names_the_example(tmp_path: Path) -> None:
    panel = panel_of(table())
    bundle = bundle_of(panel, example=example_frame(panel, CONTEXT, HORIZON))
    card = (save_bundle(tmp_path / "bundle", bundle, onnx=False) / "MODEL_CARD.md").read_text()
    assert "A table to try it with, `bundle.example`, is in `example.json`." in card


def test_an_example_shows_numbers_as_they_were_written() -> None:
    frame = table().assign(visits=[round(12.8 + n / 10, 1) for n in range(24)])
    assert example_frame(panel_of(frame), 2, 1)["visits"].tolist() == [15.0, 15.1]


def test_a_series_shorter_than_an_example_is_refused() -> None:
    with pytest.raises(DataError, match="series 'series' has 24 rows, too few for an example of 30"):
        example_frame(panel_of(table()), 30, 3)
