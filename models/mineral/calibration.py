"""From held-out answers to the integers that fly: confidence, strangeness, threshold.

Everything here is measured on specimens that the answering network never saw: temperature
fitted on seen specimens makes confidence worse, not better.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from flight.autonomy import mineral
from flight.autonomy.mineral import MineralPolicy
from models.mineral.network import LEAST_COSINE
from models.mineral.training import Answers

FALSE_ALARMS = 0.05
"""Share of known minerals' held-out spectra that may be called anomalies."""

HIGHEST_PERMILLE = 990
"""No table says more: a few hundred held-out specimens cannot bear it out."""

SCORE_UNIT = 256
"""Flight's score for a strangeness of 1."""


def margins(answers: Answers) -> NDArray[np.float64]:
    """Return (N,) the lead of the best class over the second."""
    ranked = np.sort(answers.logits[:, :-1], axis=1)
    return (ranked[:, -1] - ranked[:, -2]).astype(np.float64)


def confidence_table(
    margin: NDArray[np.float64], right: NDArray[np.bool_], logit_step: float
) -> tuple[int, ...]:
    """Return the share of right answers, in 1/1000, for each entry of the flight table.

    Isotonic regression: more margin never means less confidence, and nothing else is assumed.
    """
    curve = IsotonicRegression(out_of_bounds="clip").fit(margin, right.astype(float))
    entries = np.arange(mineral.MARGIN_ENTRIES) * mineral.MARGIN_STEP + mineral.MARGIN_STEP / 2
    share = curve.predict(entries * logit_step)
    return tuple(int(value) for value in np.rint(share * 1000).clip(0, HIGHEST_PERMILLE))


@dataclass(frozen=True)
class Witness:
    """How one sign of strangeness counts: 1 from the middle of the known to their edge."""

    middle: float
    span: float

    @classmethod
    def of(cls, values: NDArray[np.floating]) -> "Witness":
        """Return it from what known spectra give."""
        middle, edge = np.quantile(values, [0.5, 1 - FALSE_ALARMS])
        return cls(float(middle), float(edge - middle))


LOGIT_SHARE, ANGLE_SHARE = 1.0, 1.5
"""What each witness counts in the score; chosen with other minerals left out (see the card)."""


@dataclass(frozen=True)
class Strangeness:
    """How sixth logit and angle add up to one score, in real units."""

    logit: Witness
    angle: Witness

    def of(
        self, strange: NDArray[np.floating], angle: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """Return (N,) scores; ``angle`` is None where the bands do not suffice for one."""
        told = self.angle.middle if angle is None else angle
        score: NDArray[np.float64] = LOGIT_SHARE * strange / self.logit.span
        return score + ANGLE_SHARE * told / self.angle.span


def angle_of(likeness: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the root of what likeness lacks of its most."""
    angle: NDArray[np.float64] = np.sqrt(np.maximum(1 - LEAST_COSINE - likeness, 0.0))
    return angle


def policy_of(
    strangeness: Strangeness,
    *,
    logit_step: float,
    likeness_step: float,
    threshold: float,
    confidence_permille: tuple[int, ...],
) -> MineralPolicy:
    """Return the flight policy: all on the int8 grids of the model's outputs."""
    score = SCORE_UNIT << mineral.SCORE_BITS
    angle_step = np.sqrt(likeness_step) / (1 << mineral.ANGLE_BITS)
    return MineralPolicy(
        confidence_permille=confidence_permille,
        strange_weight=round(score * LOGIT_SHARE * logit_step / strangeness.logit.span),
        angle_weight=round(score * ANGLE_SHARE * angle_step / strangeness.angle.span),
        usual_angle=round(strangeness.angle.middle / angle_step),
        anomaly_threshold=int(np.ceil(threshold * SCORE_UNIT)),
    )
