"""Any image is prepared or refused, and any model output gives findings that can be meant."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flight.autonomy.terrain import CELLS, PLANES, TerrainPolicy, conclude, prepare
from flight.instant import Instant
from flight.product.values import Frame, Kind, SensorKind

THRESHOLD = st.integers(-129, 127)
SIDE = st.integers(1, 300)


@st.composite
def images(draw: st.DrawFn) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    top = draw(st.integers(1, int(np.iinfo(dtype).max)))
    image = rng.integers(0, top, (draw(SIDE), draw(SIDE)), endpoint=True).astype(dtype)
    image[image < draw(st.integers(0, top))] = draw(st.integers(0, top))
    return image


@settings(max_examples=60)
@given(images())
def test_any_image_is_prepared_or_refused(image: np.ndarray) -> None:
    tensor = prepare(Frame("camera", SensorKind.CAMERA, 0, Instant(0, 0), image))
    if tensor is None:
        return
    assert tensor.shape == (1, 256, 256, 1)
    assert tensor.dtype == np.int8
    assert min(image.shape) >= 128


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(128, 4000), st.integers(128, 4000)),
    st.builds(
        TerrainPolicy,
        hazard_threshold=THRESHOLD,
        closed_threshold=THRESHOLD,
        confirmed_threshold=THRESHOLD,
        shadow_threshold=THRESHOLD,
        site_threshold=THRESHOLD,
        guarded_threshold=THRESHOLD,
        footprint_cells=st.integers(0, 31),
        footprint_mm=st.integers(0, 10_000),
        divert_mm=st.integers(0, 1_000_000),
    ),
    st.one_of(st.just(()), st.tuples(st.integers(1, 10**8))),
    st.booleans(),
    st.integers(0, CELLS // 2),
)
def test_any_output_gives_a_site_inside_the_frame_or_none(
    seed: int,
    shape: tuple[int, int],
    policy: TerrainPolicy,
    axis: tuple[int, ...],
    guarded: bool,
    before: int,
) -> None:
    rng = np.random.default_rng(seed)
    level = rng.integers(-128, 128)
    raw = np.clip(rng.normal(level, 30, (1, CELLS, CELLS, PLANES)), -128, 127).astype(np.int8)
    forbidden = (rng.random((1, CELLS, CELLS, 1)) < 0.01).astype(np.int8)
    coarse = rng.integers(-128, 128, (1, before, before, 1)).astype(np.int8)
    outputs = (raw, *((forbidden,) if guarded else ()), *((coarse,) if before else ()))
    site, hazard, shadow, *others = conclude(shape, outputs, policy, axis=axis)
    assert len(others) == guarded
    assert site.kind in (Kind.SAFE_SITE, Kind.NO_SAFE_SITE)
    assert 0 <= site.row < shape[0]
    assert 0 <= site.column < shape[1]
    if site.kind == Kind.SAFE_SITE:
        assert site.extent >= (2 * policy.footprint_cells - 1) * min(shape) // (2 * CELLS)
    assert 0 <= hazard.score + shadow.score <= 1000
