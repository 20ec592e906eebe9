"""What an X-ray spectrum is of: elements by their lines, oxides by a model, metal that is a tool's.

Lines are counted (``xray``) and need no model. A model (``oxides``) says how much of each oxide
there is. Where none is aboard, or none answers, the lines still speak; where a spectrum is
unlike all that the model knows, its word is not repeated and the spectrum is an anomaly.
"""

from dataclasses import dataclass

import numpy as np

from flight.autonomy import oxides, xray
from flight.product.values import Finding, Frame, Kind, NoAnswer, Tensor


@dataclass(frozen=True, slots=True)
class XrfPolicy:
    """Thresholds an operator may change, then the tables that come with a model, in its card."""

    least_sigma: int = 4
    """An element is there when its net counts reach this many standard deviations."""
    metals: tuple[int, ...] = (24, 27, 28, 29, 30)
    """Atomic numbers of what tools are made of and regolith is not."""
    natural_permille: tuple[int, ...] = (60, 20, 30, 20, 20)
    """For each metal, the share of all net counts that a natural sample may have."""
    centre: tuple[int, ...] = ()
    """Abundance at raw output 0, in 1/1000 of a mass percent, one an oxide; empty: no model."""
    step: tuple[int, ...] = ()
    """Abundance a raw step, in 1/1,000,000 of a mass percent."""
    sigma: tuple[int, ...] = ()
    """(oxides, decades) row by row: 1 standard deviation on held-out missions, in 1/1000 of a
    mass percent."""

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if len(self.metals) != len(self.natural_permille):
            raise ValueError("metals and natural_permille must be as many")
        oxides_, decades = len(oxides.METALS), len(oxides.DECADES)
        sizes = (len(self.centre), len(self.step), len(self.sigma))
        if sizes not in ((0, 0, 0), (oxides_, oxides_, oxides_ * decades)):
            raise ValueError(
                f"centre, step and sigma need {oxides_}, {oxides_} and {oxides_ * decades} entries"
            )


def conclude(
    frame: Frame, outputs: tuple[Tensor, ...], no_answer: int, policy: XrfPolicy
) -> tuple[Finding, ...]:
    """Return metals suspected, oxides or why there are none, then elements by atomic number.

    Without outputs and without a reason for that (``no_answer`` 0), no model was to be asked.

    Raises:
        ValueError, IndexError: the outputs are not this task's.
    """
    if not xray.is_spectrum(frame):
        return (Finding(Kind.NO_ANSWER, label=NoAnswer.BAD_FRAME),)
    counts = frame.samples.astype(np.int64)
    if int(counts.sum()) < xray.LEAST_COUNTS:
        return (Finding(Kind.NO_ANSWER, label=NoAnswer.LOW_CONFIDENCE),)
    elements = xray.elements(counts, frame.axis, least_sigma=policy.least_sigma)
    natural = dict(zip(policy.metals, policy.natural_permille, strict=True))
    found: tuple[Finding, ...] = ()
    if no_answer:
        found = (Finding(Kind.NO_ANSWER, label=no_answer),)
    elif outputs:
        found = _oxides(frame, outputs, policy)
    return xray.metals(elements, natural) + found + elements


def _oxides(frame: Frame, outputs: tuple[Tensor, ...], policy: XrfPolicy) -> tuple[Finding, ...]:
    binned = oxides.bins_of(frame.samples.astype(np.int64), *frame.axis)
    total = 0 if binned is None else int(binned.sum())
    column = sum(total >= decade for decade in oxides.DECADES) - 1
    if column < 0:
        return (Finding(Kind.NO_ANSWER, label=NoAnswer.LOW_CONFIDENCE),)
    raw = [int(value) for value in outputs[0].reshape(-1)]
    rows = zip(oxides.METALS, raw, policy.centre, policy.step, strict=True)
    return tuple(
        Finding(
            Kind.OXIDE,
            label=metal,
            score=max(0, centre + value * step // 1000),
            extent=policy.sigma[index * len(oxides.DECADES) + column],
        )
        for index, (metal, value, centre, step) in enumerate(rows)
    )
