"""The exported model as a directory of MLflow: a pyfunc model that loads the bundle, with a typed signature."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import Model, ModelSignature

    from search.tracking.export import Export

LOADER = "lstmgru.bundle.pyfunc"

# Direct and indirect imports of the loader.
_REQUIREMENTS = ("numpy", "pandas")
_WITH_ONNX, _WITH_TORCH, _OF_BASELINES = ("onnxruntime",), ("safetensors", "torch"), ("scikit-learn", "scipy")


def signature(export: Export) -> ModelSignature:
    """Typed columns of inputs and outputs, and the parameters of a prediction, see ``lstmgru.bundle.pyfunc``."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    columns = export.columns
    params = [ParamSpec("strict", DataType.boolean, True)]
    if columns.horizon is not None:
        params.append(ParamSpec("horizon", DataType.long, columns.horizon))
    if columns.levels:
        params.append(ParamSpec("levels", DataType.double, list(columns.levels), (-1,)))
    return ModelSignature(
        inputs=Schema([ColSpec(DataType[kind], name) for name, kind in columns.inputs.items()]),
        outputs=Schema([ColSpec(DataType[kind], name) for name, kind in columns.outputs.items()]),
        params=ParamSchema(params),
    )


def typed_example(export: Export) -> pd.DataFrame | None:
    """The example with the types of the signature, to which MLflow holds Python callers."""
    from mlflow.types import DataType

    if export.example is None:
        return None
    kinds = {name: DataType[kind].to_pandas() for name, kind in export.columns.inputs.items()}
    frame = export.example[list(kinds)]
    text = [name for name, kind in export.columns.inputs.items() if kind == "string"]
    return frame.astype({**kinds, **dict.fromkeys(text, "str")}).where(frame.notna())


def requirements(export: Export) -> list[str]:
    """Requirements of an environment that serves the model: the installed versions.

    PyTorch is one of them only if the ONNX model cannot stand for it. A local version label, as in ``2.13.0+cpu``, is
    left out, because package indexes do not have it.
    """
    from lstmgru.runtime.load import is_proven

    engine = _WITH_ONNX if is_proven(export.description) else _WITH_TORCH
    outside = _OF_BASELINES if export.baselines and engine is _WITH_TORCH else ()
    packages = ("mlflow", *_REQUIREMENTS, *engine, *outside)
    return [f"{package}=={version(package).split('+')[0]}" for package in packages]


def prepare() -> None:
    """Import what logging a model needs, which takes a second or two."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about MLflow's own type hints
        import mlflow.models
        import mlflow.pyfunc  # noqa: F401


def save_model(path: Path, export: Export, model: Model | None = None) -> None:
    """Write a model directory of MLflow.

    Args:
        path: A directory that does not exist.
        export: The model.
        model: Its metadata, if it belongs to a logged model.
    """
    import lstmgru

    prepare()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about MLflow's use of pandas
        from mlflow.models import Model
        from mlflow.pyfunc import save_model as save

        save(
            path,
            loader_module=LOADER,
            data_path=str(export.folder),
            code_paths=[str(Path(lstmgru.__file__).parent)],
            mlflow_model=model or Model(),
            signature=signature(export),
            input_example=typed_example(export),
            pip_requirements=requirements(export),
        )
