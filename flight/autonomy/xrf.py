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
    """Root of the abundance where all votes are 0, in 1/10,000 of the root of a mass percent, one
    an oxide; empty: no model."""
    step: tuple[int, ...] = ()
    """What a raw step of one vote adds to that root, in 1/10,000,000."""
    sigma: tuple[int, ...] = ()
    """(oxides, decades) row by row: 1 standard deviation on held-out missions, in 1/1000 of a
    mass percent."""
    typical: tuple[int, ...] = ()
    """Root mean square abundance of those missions' samples, one an oxide, in 1/1000 of a mass
    percent: of what there is more of, the error is larger in proportion."""
    redrawn: tuple[int, ...] = ()
    """Zero point of the redrawn spectrum, and a raw step of it in 1/1000 of an input step."""
    most_misfit: tuple[int, ...] = ()
    """For each decade of counts, the mean departure from the redrawn spectrum, in 1/1000 of an
    octave, above which a spectrum is strange."""

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if len(self.metals) != len(self.natural_permille):
            raise ValueError("metals and natural_permille must be as many")
        oxides_, decades = len(oxides.METALS), len(oxides.DECADES)
        tables = (
            self.centre, self.step, self.sigma, self.typical, self.redrawn, self.most_misfit,
        )  # fmt: skip
        sizes = tuple(len(table) for table in tables)
        wanted = (oxides_, oxides_, oxides_ * decades, oxides_, 2, decades)
        if any(sizes) and sizes != wanted:
            raise ValueError(
                "centre, step, sigma, typical, redrawn and most_misfit need"
                f" {wanted} entries, or none"
            )
        if min(self.typical, default=1) < 1:
            raise ValueError("typical must be above 0")


def conclude(
    frame: Frame, outputs: tuple[Tensor, ...], no_answer: int, policy: XrfPolicy
) -> tuple[Finding, ...]:
    """Return metals suspected, oxides or why there are none, then elements by atomic number.

    Without outputs and without a reason for that (``no_answer`` 0), no model was to be asked. A
    spectrum that the model cannot redraw gets a STRANGE_SPECTRUM in place of oxides.

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
    decade = sum(total >= decade for decade in oxides.DECADES) - 1
    if binned is None or decade < 0:
        return (Finding(Kind.NO_ANSWER, label=NoAnswer.LOW_CONFIDENCE),)
    votes, redrawn = outputs
    tensor = oxides.compressed(binned[None])
    departure = oxides.departures(tensor, redrawn, policy.redrawn)[0]
    misfit, most = oxides.misfit(departure, binned), policy.most_misfit[decade]
    if misfit > most:
        worst = int(np.where(binned >= oxides.LEAST_IN_BIN, np.abs(departure), 0).argmax())
        middle_ev = (oxides.FIRST_MEV + oxides.BIN_MEV * worst + oxides.BIN_MEV // 2) // 1000
        return (Finding(Kind.STRANGE_SPECTRUM, score=misfit, extent=most, label=middle_ev),)
    found = oxides.abundances(votes, policy.centre, policy.step)[0]
    return tuple(
        Finding(
            Kind.OXIDE,
            label=metal,
            score=int(abundance),
            extent=int(sigma * max(typical, abundance) // typical),
        )
        for metal, abundance, sigma, typical in zip(
            oxides.METALS,
            found,
            policy.sigma[decade :: len(oxides.DECADES)],
            policy.typical,
            strict=True,
        )
    )
