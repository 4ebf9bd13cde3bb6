"""The arrays that a blend of forecasters reads, and the rules for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lstmgru.specs import InputSpec, ModelSpec

Categories = tuple[tuple[int, int], ...]
"""(channel, number of names) pairs."""


@dataclass(frozen=True)
class ForecastSignature:
    """What a blend of networks and baselines reads.

    Attributes:
        inputs: Of the members.
        horizon: H.
        context_length: Rows of history that the longest member reads.
        networks: The architectures of the networks.
    """

    inputs: InputSpec
    horizon: int
    context_length: int
    networks: tuple[ModelSpec, ...]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The arrays by name with their shapes, without the batch; the last two are ``int64``."""
        shapes: dict[str, tuple[int, ...]] = {"past": (self.context_length, self.inputs.n_inputs)}
        if self.inputs.n_future:
            shapes["future"] = (self.horizon, self.inputs.n_future)
        if self.inputs.n_static:
            shapes["static"] = (self.inputs.n_static,)
        shapes |= {"series": ()} if self.tells_series else {}
        shapes |= {"lengths": ()} if self.padded else {}
        return shapes

    @property
    def required_rows(self) -> int:
        """Fewest real rows that a context must have."""
        return 1 if self.inputs.padded else max((spec.context_length for spec in self.networks), default=1)

    @property
    def padded(self) -> bool:
        """Whether contexts may have fewer real rows than the longest member reads."""
        return self.inputs.padded or self.required_rows < self.context_length

    @property
    def tells_series(self) -> bool:
        """Whether a network has parameters for each series, so that their codes are read."""
        return any(spec.tells_series(self.inputs.n_series) for spec in self.networks)

    @property
    def log_rows(self) -> int:
        """Last rows of a context whose logarithms are taken."""
        return max((spec.context_length for spec in self.networks if spec.log), default=0)

    @property
    def categories(self) -> dict[str, Categories]:
        """The categorical channels of each array, as in :class:`~lstmgru.specs.InputSpec`."""
        first = self.inputs.n_inputs - self.inputs.n_future
        ahead = tuple((channel - first, names) for channel, names in self.inputs.categories if channel >= first)
        return {"past": self.inputs.categories, "future": ahead, "static": self.inputs.static_categories}
