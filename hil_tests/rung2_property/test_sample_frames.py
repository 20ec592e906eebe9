"""Whatever a sensor sends and a model says, a sample frame gets a verdict or none, no error."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flight.autonomy.sample import HEADS, SHOWN, STEPS, SamplePolicy, conclude, prepare
from flight.autonomy.tasks import policy_from, policy_integers
from flight.instant import Instant
from flight.product.values import Frame, Kind, SensorKind

POLICY = SamplePolicy(sealed_threshold=40, open_threshold=-20)
VERDICTS = {Kind.SEALED, Kind.SEAL_OBSTRUCTED, Kind.JAM, Kind.NO_ANSWER}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 260), st.integers(1, 260), st.sampled_from((np.uint8, np.uint16)),
    st.integers(0, 65_535), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_any_frame_is_prepared_or_refused(
    rows: int, columns: int, dtype: type, most: int, seed: int
) -> None:
    most = min(most, np.iinfo(dtype).max)
    samples = np.random.default_rng(seed).integers(0, most + 1, (rows, columns)).astype(dtype)
    tensor = prepare(Frame("s", SensorKind.SAMPLE, 0, Instant(0, 0), samples))
    assert tensor is None or tensor.shape == (1, STEPS + len(SHOWN), STEPS, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_outputs_give_exactly_one_word_on_the_seal_unless_jammed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    heads = rng.integers(-128, 128, (1, HEADS)).astype(np.int8)
    telemetry = rng.integers(-128, 128, (1, len(SHOWN), STEPS, 1)).astype(np.int8)
    said = [f.kind for f in conclude((heads, telemetry), POLICY) if f.kind in VERDICTS]
    assert said in ([Kind.SEALED], [Kind.SEALED, Kind.JAM], *([kind] for kind in VERDICTS))


@given(st.integers(-128, 127), st.integers(-128, 127), st.integers(0, 1 << 20))
def test_a_policy_survives_the_boot_record(one: int, two: int, limit: int) -> None:
    policy = SamplePolicy(max(one, two), min(one, two), most_gap_um=limit)
    assert policy_from(SamplePolicy, policy_integers(policy)) == policy
