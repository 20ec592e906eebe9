from dataclasses import replace

import numpy as np
import pytest

from flight.product.codecs import (
    CODECS,
    CodecId,
    Encoded,
    Field,
    decode,
    encode,
    split,
)
from flight.product.errors import WireError


def _ramp(rows: int, columns: int) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    noise = np.random.default_rng(5).integers(0, 9, (rows, columns))
    return (3 * y + 2 * x + noise).astype(np.uint16)


def _cube() -> np.ndarray:
    return np.stack([_ramp(40, 30) + 7 * band for band in range(6)])


def test_parts_decode_in_any_order_and_what_is_missing_is_marked() -> None:
    cube = _cube()
    parts = encode(CodecId.CUBE, cube, part_lines=10)
    decoded = decode(CodecId.CUBE, CODECS[CodecId.CUBE].version, [parts[3], parts[0], parts[2]])
    assert not decoded.complete
    assert not decoded.present[:, 10:20].any()
    assert decoded.present[:, 20:].all()
    assert np.array_equal(decoded.samples[decoded.present], cube[decoded.present])
    assert not decoded.samples[:, 10:20].any()


def test_parts_of_two_arrays_do_not_mix() -> None:
    one, other = encode(CodecId.RAW, _ramp(4, 4)), encode(CodecId.RAW, _ramp(4, 5))
    with pytest.raises(WireError, match="different arrays"):
        decode(CodecId.RAW, 1, [*one, *other])


def test_a_users_codec_joins_the_table() -> None:
    mine = {**CODECS, 128: replace(CODECS[CodecId.RAW], name="mine", version=7)}
    parts = encode(128, _ramp(5, 5), table=mine)
    assert decode(128, 7, parts, table=mine).complete
    with pytest.raises(WireError, match="not known"):
        decode(128, 7, parts)
    with pytest.raises(WireError, match="version 6"):
        decode(128, 6, parts, table=mine)


@pytest.mark.parametrize(
    "geometry",
    [
        (),
        (1, 5),
        (99, 4, 0, 4),
        (1, 4, 1, 4),
        (1, -4, 0, -4),
        (2, 1 << 40, 0, 1),
        (2, 0, 1 << 40, 0, 0, 0, 1),
        (1, *[2] * 9, *[0] * 9, *[2] * 9),
    ],
)
def test_a_geometry_that_is_no_box_within_the_limit_is_refused(geometry: tuple[int, ...]) -> None:
    with pytest.raises(WireError):
        decode(CodecId.RAW, 1, [Encoded(geometry, b"\0")])


def test_the_caller_sets_how_large_an_array_may_be() -> None:
    parts = encode(CodecId.RAW, _ramp(100, 100))
    with pytest.raises(WireError, match="limit"):
        decode(CodecId.RAW, 1, parts, limit_bytes=10_000)


def test_a_short_stream_cannot_claim_a_large_array() -> None:
    for codec in (CodecId.IMAGE, CodecId.LATTICE, CodecId.CLASS_MAP, CodecId.HOUSEKEEPING):
        part = encode(codec, np.zeros((8, 8), np.uint8))[0]
        lie = Encoded((1, 4096, 4096, 0, 0, 4096, 4096), part.data)
        with pytest.raises(WireError):
            decode(codec, CODECS[codec].version, [lie])


@pytest.mark.parametrize(
    ("codec", "samples"),
    [
        (CodecId.IMAGE, np.full((90, 1), 7, np.uint8)),
        (CodecId.CUBE, np.full((1, 90, 1), 7, np.uint16)),
    ],
)
def test_a_short_stream_cannot_claim_a_long_wavefront(codec: CodecId, samples: np.ndarray) -> None:
    part = encode(codec, samples, part_lines=90)[0]
    length = max(samples.shape)
    lie = tuple(9999 if number == length else number for number in part.geometry)
    with pytest.raises(WireError):
        decode(codec, CODECS[codec].version, [Encoded(lie, part.data)])


def test_a_long_and_thin_box_of_nothing_still_comes_back() -> None:
    for codec, shape in ((CodecId.IMAGE, (3000, 1)), (CodecId.CUBE, (1, 3000, 1))):
        samples = np.full(shape, 7, np.uint16)
        parts = encode(codec, samples, tile=4000, part_lines=4000)
        assert np.array_equal(decode(codec, CODECS[codec].version, parts).samples, samples)


@pytest.mark.parametrize("spacing", [2, 4, 8, 16])
def test_a_prefix_of_a_lattice_part_is_a_smaller_picture(spacing: int) -> None:
    image = _ramp(128, 140)
    parts = encode(CodecId.LATTICE, image)
    coarse, fine = split(parts, spacing)
    small = decode(CodecId.LATTICE, 3, coarse)
    assert np.array_equal(small.samples[::spacing, ::spacing], image[::spacing, ::spacing])
    assert small.present.sum() == image[::spacing, ::spacing].size
    assert not decode(CodecId.LATTICE, 3, fine).present.any()
    whole = decode(CodecId.LATTICE, 3, [*fine, *coarse])
    assert whole.complete
    assert np.array_equal(whole.samples, image)


def test_tiles_of_interest_can_go_first() -> None:
    image = _ramp(128, 128)
    parts = encode(CodecId.LATTICE, image, tile=64)
    decoded = decode(CodecId.LATTICE, 3, parts[3:])
    assert np.array_equal(decoded.samples[64:, 64:], image[64:, 64:])
    assert decoded.present.sum() == 64 * 64


def test_typed_packets_need_their_dictionary() -> None:
    packets = np.zeros((60, 6), np.uint8)
    packets[:, 3] = np.arange(60)
    fields = (Field("f", 4), Field("u", 2))
    parts = encode(CodecId.HOUSEKEEPING, packets, fields=fields)
    assert np.array_equal(decode(CodecId.HOUSEKEEPING, 1, parts, fields=fields).samples, packets)
    with pytest.raises(WireError, match="dictionary"):
        decode(CodecId.HOUSEKEEPING, 1, parts)
    with pytest.raises(ValueError, match="do not make up"):
        encode(CodecId.HOUSEKEEPING, packets, fields=fields[:1])


def test_a_template_helps_a_single_spectrum_and_must_be_the_same_at_both_ends() -> None:
    rng = np.random.default_rng(6)
    rate = 300 * np.exp(-(((np.arange(1024) - 400) / 30.0) ** 2)) + 0.3
    template = rng.poisson(50 * rate).astype(np.uint32)
    spectrum = rng.poisson(rate).astype(np.uint32)
    version = CODECS[CodecId.SPECTRA].version
    alone = encode(CodecId.SPECTRA, spectrum)
    parts = encode(CodecId.SPECTRA, spectrum, template=template)
    assert len(parts[0].data) < len(alone[0].data)
    decoded = decode(CodecId.SPECTRA, version, parts, template=template)
    assert np.array_equal(decoded.samples, spectrum)
    with pytest.raises(WireError, match="not here"):
        decode(CodecId.SPECTRA, version, parts)
    with pytest.raises(WireError, match="another"):
        decode(CodecId.SPECTRA, version, parts, template=template + np.uint32(1))


def test_codecs_refuse_to_encode_what_they_are_not_for() -> None:
    with pytest.raises(TypeError):
        encode(CodecId.IMAGE, np.zeros((4, 4), np.int16))
    with pytest.raises(TypeError):
        encode(CodecId.CUBE, np.zeros((4, 4, 4), np.int32))
    with pytest.raises(ValueError, match="rows and columns"):
        encode(CodecId.IMAGE, np.zeros((4, 4, 4), np.uint8))


@pytest.mark.parametrize("largest", [253, 254, 255])
def test_a_map_may_use_every_label_there_is(largest: int) -> None:
    labels = np.random.default_rng(9).integers(0, largest, (40, 30), np.uint8, endpoint=True)
    parts = encode(CodecId.CLASS_MAP, np.kron(labels, np.ones((4, 4), np.uint8)))
    decoded = decode(CodecId.CLASS_MAP, CODECS[CodecId.CLASS_MAP].version, parts)
    assert np.array_equal(decoded.samples[::4, ::4], labels)


def test_a_plain_map_takes_a_few_bytes_however_large() -> None:
    for label in (0, 7):
        parts = encode(CodecId.CLASS_MAP, np.full((1000, 1000), label, np.uint8))
        assert sum(len(part.data) for part in parts) < 10
