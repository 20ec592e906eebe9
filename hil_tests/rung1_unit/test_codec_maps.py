"""Busy maps go by diagonals, plain ones by rows; both come back, and small."""

import lzma

import numpy as np
import pytest

from flight.product.codecs import CODECS, CodecId, Encoded, decode, encode
from flight.product.codecs.mapcoder import MapReader, MapWriter
from flight.product.codecs.mapmix import OTHER, PLACES, Mixer
from flight.product.codecs.maptree import affords_tree, walk_rows
from flight.product.codecs.mapwave import affords_wave, walk_diagonals
from flight.product.errors import WireError

VERSION = CODECS[CodecId.CLASS_MAP].version


def _busy(rows: int, columns: int, labels: int, seed: int = 3) -> np.ndarray:
    """Return patches of some labels in which every fourth pixel or so is another one."""
    rng = np.random.default_rng(seed)
    patches = np.kron(rng.integers(0, labels, (rows // 6 + 1, columns // 9 + 1)), np.ones((6, 9)))
    noise = rng.integers(0, labels, (rows, columns))
    chosen = rng.random((rows, columns)) < 0.25
    return np.where(chosen, noise, patches[:rows, :columns]).astype(np.uint8)


def _size(labels: np.ndarray) -> int:
    parts = encode(CodecId.CLASS_MAP, labels)
    decoded = decode(CodecId.CLASS_MAP, VERSION, parts)
    assert decoded.complete
    assert np.array_equal(decoded.samples, labels)
    return sum(len(part.data) for part in parts)


@pytest.mark.parametrize("shape", [(9, 9), (40, 41), (3, 120), (120, 3), (145, 145), (64, 200)])
@pytest.mark.parametrize("labels", [1, 2, 5, 31, 64])
def test_a_map_by_diagonals_comes_back(shape: tuple[int, int], labels: int) -> None:
    wanted = _busy(*shape, labels)
    writer = MapWriter()
    walk_diagonals(wanted.copy(), labels, writer)
    reader, found = MapReader(writer.finish()), np.zeros(shape, np.uint8)
    walk_diagonals(found, labels, reader)
    reader.finish()
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("labels", [2, 6, 16, 40])
def test_a_busy_map_is_well_below_lzma(labels: int) -> None:
    wanted = _busy(128, 128, labels)
    assert _size(wanted) < 0.85 * len(lzma.compress(wanted.tobytes(), preset=9))


def test_a_label_far_from_the_others_costs_a_few_bytes() -> None:
    labels = _busy(100, 100, 7)
    labels[:20, :30] = 7
    near = _size(labels)
    labels[labels == 7] = 255
    assert _size(labels) <= near + 8


def test_a_mask_of_0_and_255_costs_no_more_than_one_of_0_and_1() -> None:
    mask = np.kron(np.random.default_rng(2).integers(0, 2, (20, 20)), np.ones((5, 5)))
    assert _size(mask.astype(np.uint8) * 255) <= _size(mask.astype(np.uint8)) + 8


def test_every_question_has_a_chance_and_none_names_a_label_twice() -> None:
    rng = np.random.default_rng(4)
    mixer = Mixer(5)
    for pixels in (1, 7, 300, 300):
        near = rng.integers(0, 5, (len(PLACES), pixels), np.uint8)
        chances = np.array(mixer.foretell(near))
        assert chances.shape == (OTHER, pixels)
        assert ((chances[0] > 0) & (chances < 1 << 16)).all()
        for question in range(1, OTHER):
            known = (near[:question] == near[question]).any(axis=0)
            assert np.array_equal(chances[question] == 0, known)
        mixer.learn(rng.integers(0, OTHER + 1, pixels, np.uint8))


def test_a_mixer_learns_what_its_pixels_are_like() -> None:
    mixer = Mixer(4)
    near = np.array([0, 1, 2, 3, 0, 1, 2, 3, 0], np.uint8)[:, None].repeat(40, axis=1)
    chances = before = mixer.foretell(near)
    for _ in range(9):
        # Always like the north neighbour, never like the west one.
        mixer.learn(np.ones(40, np.uint8))
        chances = mixer.foretell(near)
    assert chances[0][0] < 3000
    assert chances[1][0] > 60000 > before[1][0]


def test_a_mixer_foretells_the_same_in_one_go_as_in_many() -> None:
    rng = np.random.default_rng(5)
    whole, parts = Mixer(7), Mixer(7)
    for _ in range(5):
        near = rng.integers(0, 7, (len(PLACES), 90), np.uint8)
        ranks = rng.integers(0, OTHER + 1, 90, np.uint8)
        pieces = [parts.foretell(near[:, begin : begin + 30]) for begin in (0, 30, 60)]
        assert whole.foretell(near) == np.concatenate(pieces, axis=1).tolist()
        whole.learn(ranks)
        parts.learn(ranks)


def test_a_short_stream_cannot_claim_a_long_way_by_diagonals() -> None:
    assert affords_wave((145, 145), 1300)
    assert not affords_wave((1000, 1000), 1300)
    assert not affords_wave((4000, 1), 1 << 20)
    data = encode(CodecId.CLASS_MAP, _busy(60, 60, 9))[0].data
    for shape in ((3000, 1), (1000, 1000)):
        with pytest.raises(WireError, match="too short"):
            decode(CodecId.CLASS_MAP, VERSION, [Encoded((1, *shape, 0, 0, *shape), data)])


@pytest.mark.parametrize(
    "labels", [np.zeros((1024, 1024)), np.tri(1000), np.tri(1000).T, np.eye(99)]
)
def test_a_large_plain_map_is_a_few_bytes(labels: np.ndarray) -> None:
    assert _size(labels.astype(np.uint8)) < 60


@pytest.mark.parametrize("pattern", ["stripes", "checker", "grid", "waves", "dots"])
def test_a_regular_pattern_is_no_larger_than_lzma_makes_it(pattern: str) -> None:
    rows, columns = np.mgrid[:300, :400]
    labels = {
        "stripes": columns // 32 % 2,
        "checker": (rows // 8 + columns // 8) % 2,
        "grid": (rows % 16 == 0) | (columns % 16 == 0),
        "waves": (rows + columns) // 7 % 5,
        "dots": (rows % 8 == 3) & (columns % 8 == 3),
    }[pattern].astype(np.uint8)
    assert _size(labels) < len(lzma.compress(labels.tobytes(), preset=9))
    (part,) = encode(CodecId.CLASS_MAP, labels)
    if part.data[0] == 254:
        for wrong in (part.data[:-1], part.data + b"\0", b"\xfe" + bytes(20)):
            with pytest.raises(WireError):
                decode(CodecId.CLASS_MAP, VERSION, [Encoded(part.geometry, wrong)])
        with pytest.raises(WireError, match="too large"):
            decode(
                CodecId.CLASS_MAP, VERSION, [Encoded((1, 3000, 3000, 0, 0, 3000, 3000), part.data)]
            )


def test_a_short_stream_cannot_claim_much_work() -> None:
    # What the largest plain tile of a picture takes, with room for a few outlines.
    assert affords_tree((1024, 1024), 20_000, 30)
    assert not affords_tree((1024, 1024), 40_000, 30)
    assert affords_tree((1024, 1024), 40_000, 400)
    for shape in ((30_000, 1), (1, 5000), (4000, 4000)):
        assert not affords_tree(shape, 0, 30)
    # Few bytes foretell every pixel of this, but none of them lies in a stretch.
    rows, columns = np.mgrid[:300, :300]
    labels = ((columns + 2 * rows) % 11).astype(np.uint8)
    writer = MapWriter()
    walk_rows(labels.copy(), 11, writer, labels.size)
    stream = writer.finish()
    assert len(stream) < 100
    with pytest.raises(WireError, match="too short"):
        walk_rows(np.zeros((300, 300), np.uint8), 11, MapReader(stream), len(stream))


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\x00", b"\xff\x01\x00\x02", b"\xff\x02\x05", b"\xc1abc", b"\xfe"]
)
def test_a_part_without_a_method_or_palette_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(CodecId.CLASS_MAP, VERSION, [Encoded((1, 8, 8, 0, 0, 8, 8), data)])
