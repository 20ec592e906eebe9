import pytest

from flight.relay import cbor
from flight.relay.errors import WireError

# RFC 8949 appendix A, the examples that bundles can hold.
UINTS = [
    (0, "00"),
    (1, "01"),
    (10, "0a"),
    (23, "17"),
    (24, "1818"),
    (25, "1819"),
    (100, "1864"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (1000000000000, "1b000000e8d4a51000"),
    (18446744073709551615, "1bffffffffffffffff"),
]
ITEMS = ["a0", "a201020304", "826161a161626163", "c074323031332d30332d32315432303a30343a30305a"]
ITEMS += ["f4", "f5", "f6", "f0", "f8ff", "f93c00", "fb3ff199999999999a", "20", "3863", "80"]
ITEMS += ["8301820203820405", "6449455446", "4401020304", "62c3bc", "d818456449455446"]


@pytest.mark.parametrize(("value", "encoded"), UINTS)
def test_integers_are_those_of_rfc_8949(value: int, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert cbor.encode_uint(value) == data
    assert cbor.read_uint(data, 0) == (value, len(data))


def test_strings_and_arrays_are_those_of_rfc_8949() -> None:
    assert cbor.encode_bytes(bytes([1, 2, 3, 4])).hex() == "4401020304"
    assert cbor.encode_text("IETF").hex() == "6449455446"
    assert cbor.encode_array(*map(cbor.encode_uint, (1, 2, 3))).hex() == "83010203"
    assert cbor.read_bytes(bytes.fromhex("4401020304"), 0) == (bytes([1, 2, 3, 4]), 5)
    assert cbor.read_text(bytes.fromhex("62c3bc"), 0) == ("ü", 3)
    assert cbor.read_array(bytes.fromhex("83010203"), 0) == (3, 1)
    assert cbor.read_bool(b"\xf5", 0) == (True, 1)
    assert cbor.read_bool(b"\xf4", 0) == (False, 1)


@pytest.mark.parametrize("encoded", ["1800", "190000", "1a00000000", "1b0000000000000000"])
def test_longer_heads_than_needed_are_read(encoded: str) -> None:
    assert cbor.read_uint(bytes.fromhex(encoded), 0) == (0, len(encoded) // 2)


@pytest.mark.parametrize("encoded", [encoded for _, encoded in UINTS] + ITEMS)
def test_any_definite_item_is_skipped_and_its_prefixes_are_refused(encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert cbor.skip_item(data + b"\x00", 0) == len(data)
    for end in range(len(data)):
        with pytest.raises(WireError):
            cbor.skip_item(data[:end], 0)


@pytest.mark.parametrize(
    "encoded", ["9fff", "5f4101ff", "7f6161ff", "bfff", "1c", "1d", "1e", "1f", "3f", "dc", "fc"]
)
def test_indefinite_and_reserved_lengths_are_refused(encoded: str) -> None:
    with pytest.raises(WireError):
        cbor.skip_item(bytes.fromhex(encoded), 0)


@pytest.mark.parametrize("head", ["5b", "7b", "9b", "bb"])
def test_a_length_beyond_the_bytes_costs_nothing(head: str) -> None:
    data = bytes.fromhex(head) + b"\xff" * 8
    for read in (cbor.skip_item, cbor.read_bytes, cbor.read_text):
        with pytest.raises(WireError):
            read(data, 0)


def test_nesting_beyond_the_limit_is_refused() -> None:
    deepest = b"\x81" * (cbor.MAX_DEPTH - 1) + b"\x00"
    assert cbor.skip_item(deepest, 0) == len(deepest)
    for too_deep in (b"\x81" + deepest, b"\xc1" * 100_000 + b"\x00"):
        with pytest.raises(WireError, match="deep"):
            cbor.skip_item(too_deep, 0)


@pytest.mark.parametrize(
    ("read", "encoded"),
    [
        (cbor.read_uint, "20"),
        (cbor.read_uint, "4100"),
        (cbor.read_uint, ""),
        (cbor.read_bytes, "6161"),
        (cbor.read_text, "4161"),
        (cbor.read_text, "62c328"),
        (cbor.read_text, "6261"),
        (cbor.read_array, "a0"),
        (cbor.read_array, ""),
        (cbor.read_bool, "f6"),
        (cbor.read_bool, ""),
    ],
)
def test_another_type_than_asked_for_is_refused(read, encoded: str) -> None:
    with pytest.raises(WireError):
        read(bytes.fromhex(encoded), 0)
