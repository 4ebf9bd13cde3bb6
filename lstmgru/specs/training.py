"""The training settings of a network."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from lstmgru.errors import SpecError, at_least, one_of, probability
from lstmgru.specs.fields import check_types
from lstmgru.specs.tasks import LOSSES

Optimizer = Literal["adamw", "adam"]
Schedule = Literal["constant", "cosine", "one_cycle"]
ClassWeights = Literal["none", "balanced"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]

OPTIMIZERS: tuple[str, ...] = get_args(Optimizer)
SCHEDULES: tuple[str, ...] = get_args(Schedule)
CLASS_WEIGHTS: tuple[str, ...] = get_args(ClassWeights)
PRECISIONS: tuple[str, ...] = get_args(Precision)


@dataclass(frozen=True)
class TrainSpec:
    """The training settings of one network.

    Attributes:
        learning_rate: The optimizer's step size, or the largest one of a schedule.
        batch_size: Windows or sequences per optimizer step.
        weight_decay: ``adamw``: decoupled (Loshchilov & Hutter 2019); ``adam``: an L2 penalty.
        optimizer: ``adamw`` or ``adam`` (Kingma & Ba 2015).
        schedule: Schedule of the learning rate over ``max_epochs``: ``constant``; ``cosine``, down to 0 (Loshchilov &
            Hutter 2017); ``one_cycle``, up and then down (Smith & Topin 2019).
        max_epochs: Maximum number of passes over the training part.
        epoch_windows: Maximum number of windows per epoch. If there are more, or series have different numbers of
            them, each epoch draws a new sample with the same number from every series. ``None`` for all windows.
        min_epoch_windows: For forecasts, approximate minimum number of windows per epoch, reached by repetition, but
            no more than ``epoch_windows``.
        patience: Epochs without a better validation score before training stops; ``None`` never stops early.
        gradient_clip: Maximum norm of all gradients together; ``None`` for no clipping.
        ema_decay: Decay per optimizer step of the moving average of the weights, which is scored and kept; ``None`` to
            use the weights themselves.
        loss: The loss on the outputs of the network: ``mae``, ``mse``, ``huber`` with delta 1; for forecasts also
            ``quantile``, the mean pinball loss of all quantiles (Koenker & Bassett 1978), the negative log-likelihoods
            ``student_t`` and, of counts, ``negative_binomial``, and ``tweedie``, the deviance of a Tweedie distribution
            with power 1.5; for classes ``cross_entropy``.
        label_smoothing: Label smoothing of the cross entropy (Szegedy et al. 2016), in [0, 1).
        class_weights: Weights of the classes in the loss: ``none``, or ``balanced``: inverse to their frequency.
        precision: Numeric precision of training: ``32-true``; ``bf16-mixed`` and ``16-mixed`` compute products in half
            precision, weights and sums in single (Micikevicius et al. 2018); the latter scales the loss and needs a
            GPU.
        accelerator: Lightning's accelerator: ``auto``, ``cpu``, ``gpu`` or ``mps``.
        seed: Seeds the weights, dropout and the order of the windows.
    """

    learning_rate: float = 1e-3
    batch_size: int = 64
    weight_decay: float = 0.0
    optimizer: Optimizer = "adamw"
    schedule: Schedule = "constant"
    max_epochs: int = 30
    epoch_windows: int | None = None
    min_epoch_windows: int = 1
    patience: int | None = 5
    gradient_clip: float | None = 1.0
    ema_decay: float | None = 0.99
    loss: str = "mae"
    label_smoothing: float = 0.0
    class_weights: ClassWeights = "none"
    precision: Precision = "32-true"
    accelerator: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise SpecError(f"learning_rate must be positive but got {self.learning_rate!r}")
        at_least("batch_size", self.batch_size, 1)
        at_least("weight_decay", self.weight_decay, 0)
        at_least("max_epochs", self.max_epochs, 1)
        at_least("min_epoch_windows", self.min_epoch_windows, 1)
        for name in ("patience", "epoch_windows"):
            if getattr(self, name) is not None:
                at_least(name, getattr(self, name), 1)
        if self.gradient_clip is not None and not self.gradient_clip > 0:
            raise SpecError(f"gradient_clip must be positive but got {self.gradient_clip!r}")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise SpecError(f"ema_decay must be in (0, 1) but got {self.ema_decay!r}")
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("schedule", self.schedule, SCHEDULES)
        one_of("loss", self.loss, LOSSES)
        probability("label_smoothing", self.label_smoothing)
        one_of("class_weights", self.class_weights, CLASS_WEIGHTS)
        one_of("precision", self.precision, PRECISIONS)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The spec that :meth:`to_dict` wrote.

        Raises:
            SpecError: A value is not valid.
        """
        check_types(cls, values)
        return cls(**values)
