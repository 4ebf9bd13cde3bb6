"""What MLflow says of an exported model: parameters of the logged model, descriptions, tags of its version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from lstmgru.runtime.files import CARD
from search.study.records import StudyRecord
from search.tasks import find_task
from search.tracking.entries import MAX_PARAM, MAX_TAG, clip
from search.tracking.runs import STUDY_UID

if TYPE_CHECKING:
    from search.tracking.export import Export

# MLflow's limit on a description.
MAX_DESCRIPTION = 5000


@dataclass(frozen=True)
class Origin:
    """What a registered model says of the study that it is from.

    Attributes:
        uid, study, task, metric: Of the study.
        summary: One sentence on what its models predict.
        verdict: One sentence on whether the model beats the best baseline.
        beats_baselines: Whether it does; ``None`` if unknown.
        score: Of the model, on data that it was not trained on.
    """

    uid: str
    study: str
    task: str
    metric: str
    summary: str
    verdict: str
    beats_baselines: bool | None
    score: float | None

    @classmethod
    def of(cls, study: StudyRecord) -> Self:
        """The origin of the model that a study exported."""
        found = study.holdout
        return cls(
            uid=study.uid,
            study=study.study,
            task=study.task,
            metric=study.metric,
            summary=find_task(study.task).pages.summary(study),
            verdict=found.verdict if found else "",
            beats_baselines=found.beats_baselines if found else None,
            score=found.score if found else None,
        )

    @property
    def identity(self) -> dict[str, str]:
        """Tags that, with those of the model, identify a version."""
        return {STUDY_UID: self.uid}

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the logged model and the version by which people find them."""
        tags = {"study": self.study, "task": self.task, "metric": self.metric}
        if self.score is not None:
            tags["score"] = f"{self.score:.6g}"
        if self.beats_baselines is not None:
            tags["beats_baseline"] = str(self.beats_baselines).lower()
        return tags | ({"verdict": clip(self.verdict, MAX_TAG)} if self.verdict else {})


def model_params(export: Export) -> dict[str, str]:
    """Parameters of the logged model: settings under the names of the study file, and its members."""
    description, origin = export.description, export.provenance
    found: dict[str, Any] = {"task": export.task}
    for section in ("forecast", "labels"):
        found |= {f"{section}.{name}": value for name, value in description.get(section, {}).items()}
    data = description["data"]
    found |= {f"data.{key}": data[key] for key in ("frequency", "timezone", "gaps", "short_series") if key in data}
    found["columns"] = ", ".join(export.columns.inputs)
    members = description.get("members", [])
    found |= {f"member_{number}": _member(values) for number, values in enumerate(members, 1)}
    networks = [values for values in members if values["kind"] == "network"]
    if len(networks) == 1:
        found |= {f"training.{name}": value for name, value in networks[0].get("training", {}).items()}
    found |= {key: origin.get(key) for key in ("study", "trial", "seed", "trained_on", "learned_until")}
    return {key: clip(str(value), MAX_PARAM) for key, value in found.items() if value not in (None, [], ())}


def _member(values: dict[str, Any]) -> str:
    """``0.6 trial 25: gru(64) | fused(32)``, or ``0.4 seasonal_naive``."""
    if values["kind"] != "network":
        return f"{values['weight']:.4g} {values['kind']}"
    trial = "" if values.get("trial") is None else f"trial {values['trial']}: "
    return f"{values['weight']:.4g} {trial}{values['model']['branches']}"


def version_description(export: Export, verdict: str) -> str:
    """The description of a version: the verdict and the model card, as far as there is room."""
    path = export.folder / CARD
    card = path.read_text(encoding="utf-8") if path.exists() else ""
    text = f"> {verdict}\n\n{card}" if verdict else card
    if len(text) <= MAX_DESCRIPTION:
        return text
    end = f"\n\n(The whole card is {CARD} in the files of the model.)\n"
    room = MAX_DESCRIPTION - len(end)
    between = text.rfind("\n\n", 0, room)
    kept = text[: room if between < 0 else between]
    heading = kept.rfind("\n\n## ")
    return (kept[:heading] if "\n\n" not in kept[heading + 2 :] else kept) + end


def registered_description(origin: Origin, name: str) -> str:
    """The description of a registered model: what it predicts, what its aliases mean, and how to use it."""
    return f"""{origin.summary}

- `champion` is the model in use, `challenger` one that was trained later and has not replaced it. A new model becomes
  champion by the rule of `refit`, or if the search of the same study has found a better one.
- A version has the verdict, the model card and the scores; its logged model has parameters, metrics and data.

```python
import mlflow
import pandas as pd

model = mlflow.pyfunc.load_model("models:/{name}@champion").get_raw_model()
{find_task(origin.task).pages.outputs} = model.predict(pd.read_csv("new.csv"))
```

Over HTTP: `mlflow models serve -m "models:/{name}@champion"`.
"""
