"""Images whose values have gaps are packed; busy places do not spoil the fit of quiet ones."""

import tracemalloc

import numpy as np
import pytest

from flight.product.codecs import CODECS, CodecId, Encoded, decode, encode
from flight.product.codecs.geometry import LARGEST_TILE
from flight.product.codecs.imagelevels import find_levels, pack, read_levels, write_levels
from flight.product.errors import WireError

VERSION = CODECS[CodecId.IMAGE].version


def _scene(rows: int = 160, columns: int = 150) -> np.ndarray:
    rng = np.random.default_rng(3)
    slope = np.add.outer(np.arange(rows) * 0.8, np.arange(columns) * 0.5)
    return (slope + rng.normal(0, 3, (rows, columns)) + 20).clip(0, 255).astype(np.uint16)


def _size(image: np.ndarray) -> int:
    parts = encode(CodecId.IMAGE, image)
    decoded = decode(CodecId.IMAGE, VERSION, parts)
    assert decoded.complete
    assert decoded.samples.dtype == image.dtype
    assert np.array_equal(decoded.samples, image)
    return sum(len(part.data) for part in parts)


@pytest.mark.parametrize("step", [3, 16, 200])
def test_pixels_that_are_multiples_cost_what_the_quotients_cost(step: int) -> None:
    image = _scene()
    assert _size(image * np.uint16(step)) < _size(image) + 60


def test_a_stretched_image_costs_what_the_unstretched_one_costs() -> None:
    image = _scene()
    stretch = (np.arange(256) * 2.4).astype(np.uint16)
    assert _size(stretch[image]) < _size(image) + 150


def test_a_few_pixels_of_many_values_are_not_packed() -> None:
    noise = np.random.default_rng(1).integers(0, 1 << 16, (40, 40), np.uint16)
    assert find_levels(noise) is None
    assert find_levels(_scene()) is None


def test_levels_come_back_from_their_bytes() -> None:
    image = _scene() * np.uint16(7) + np.uint16(900)
    levels = find_levels(image)
    assert levels is not None
    assert np.array_equal(levels[pack(image, levels)], image)
    assert np.array_equal(read_levels(write_levels(levels), image.size), levels)


def test_levels_that_no_image_of_that_size_has_are_refused() -> None:
    data = write_levels(np.arange(0, 4000, 2))
    with pytest.raises(WireError, match="too many levels"):
        read_levels(data, 100)
    with pytest.raises(WireError):
        read_levels(data[:4], 1 << 20)


def test_a_level_beyond_the_dtype_is_refused() -> None:
    part = encode(CodecId.IMAGE, _scene() * np.uint16(16))[0]
    narrow = (1, *part.geometry[1:])
    with pytest.raises(WireError, match="do not fit"):
        decode(CodecId.IMAGE, VERSION, [Encoded(narrow, part.data)])


def test_a_noisy_corner_does_not_spoil_the_rest() -> None:
    image = (np.add.outer(np.arange(128) * 3, np.arange(128) * 2) % 251).astype(np.uint8)
    quiet = _size(image)
    image[:32, :32] = np.random.default_rng(2).integers(0, 256, (32, 32))
    assert _size(image) < quiet + 32 * 32 * 1.3


@pytest.mark.parametrize("codec", [CodecId.IMAGE, CodecId.LATTICE])
def test_no_part_is_wider_than_the_largest_tile_and_none_is_read(codec: CodecId) -> None:
    image = np.zeros((700, 40), np.uint8)
    parts = encode(codec, image, tile=4096)
    assert [part.geometry[-2:] for part in parts] == [(350, 40), (350, 40)]
    lie = Encoded((1, 513, 512, 0, 0, 513, 512), parts[0].data)
    with pytest.raises(WireError, match="not a tile"):
        decode(codec, CODECS[codec].version, [lie])


@pytest.mark.parametrize("codec", [CodecId.IMAGE, CodecId.LATTICE])
def test_the_largest_tile_decodes_in_16_megabytes(codec: CodecId) -> None:
    slope = np.add.outer(np.arange(LARGEST_TILE), np.arange(LARGEST_TILE)) // 8
    tile = (slope + np.random.default_rng(5).integers(0, 5, slope.shape)).astype(np.uint8)
    parts = encode(codec, tile)
    assert len(parts) == 1
    tracemalloc.start()
    decoded = decode(codec, CODECS[codec].version, parts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(decoded.samples, tile)
    assert peak - decoded.samples.nbytes - decoded.present.nbytes < 16 << 20
