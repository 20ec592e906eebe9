import pytest

from flight.relay.endpoint import (
    LOCAL_NODE,
    MAX_NAME_BYTES,
    NONE,
    EndpointId,
    Scheme,
    encode_endpoint,
    ipn,
    parse_endpoint,
    read_endpoint,
)
from flight.relay.errors import WireError

# RFC 9171 section 4.2.5.1, RFC 9758 appendix A, RFC 9173 appendix A.
ENCODED = [
    ("dtn:none", "820100"),
    ("ipn:2.1", "8202820201"),
    ("ipn:1.2", "8202820102"),
    ("dtn://node1/files", "82016d2f2f6e6f6465312f66696c6573"),
    ("ipn:977000.100.1", "8202821b000ee8680000006401"),
    ("ipn:!.7", "8202821affffffff07"),
]


@pytest.mark.parametrize(("uri", "encoded"), ENCODED)
def test_published_endpoint_ids_are_read_and_written(uri: str, encoded: str) -> None:
    endpoint, data = parse_endpoint(uri), bytes.fromhex(encoded)
    assert str(endpoint) == uri
    assert encode_endpoint(endpoint) == data
    assert read_endpoint(data, 0) == (endpoint, len(data))


def test_three_elements_name_the_same_endpoint_and_keep_their_form() -> None:
    data = bytes.fromhex("8202831a000ee868186401")
    endpoint, end = read_endpoint(data, 0)
    assert (endpoint, end) == (parse_endpoint("ipn:977000.100.1"), len(data))
    assert encode_endpoint(endpoint) == data
    assert encode_endpoint(parse_endpoint("ipn:977000.100.1")) != data
    assert encode_endpoint(ipn(977000 << 32 | 100, 1, three_elements=True)) == data


@pytest.mark.parametrize("uri", ["dtn:none", "ipn:0.0", "ipn:0.7"])
def test_node_zero_is_nobody(uri: str) -> None:
    assert parse_endpoint(uri).is_null
    assert not parse_endpoint("ipn:1.0").is_null


def test_an_exclamation_mark_is_this_node() -> None:
    assert parse_endpoint("ipn:!.1").node == LOCAL_NODE


@pytest.mark.parametrize(
    "uri",
    ["", "ipn:", "ipn:1", "ipn:1.2.3.4", "ipn:-1.2", "ipn:1.x", "ipn:²3.1", "dtn:", "dtn:node"],
)
def test_what_is_no_endpoint_id_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"endpoint id|begins with"):
        parse_endpoint(uri)


@pytest.mark.parametrize(
    "uri",
    ["http://a", "ipn:4294967296.1.1", "ipn:18446744073709551616.1", "ipn:1.1." + "1" * 99],
)
def test_numbers_and_schemes_out_of_range_are_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"endpoint id|begins with"):
        parse_endpoint(uri)


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "80",
        "8102",
        "8302820101",
        "820382010100",
        "820200",
        "82028101",
        "820284010101",
        "82028201",
        "820101",
        "82016161",
        "82014161",
        "82022001",
        "8202831b000000010000000000001801",
        "820160",
    ],
)
def test_broken_endpoint_ids_are_refused(encoded: str) -> None:
    with pytest.raises(WireError):
        read_endpoint(bytes.fromhex(encoded) + b"", 0)


def test_a_name_has_a_limit() -> None:
    longest = EndpointId(Scheme.DTN, name="//" + "a" * (MAX_NAME_BYTES - 2))
    data = encode_endpoint(longest)
    assert read_endpoint(data, 0)[0] == longest
    with pytest.raises(WireError):
        read_endpoint(data[:3] + b"\x04\x00" + data[5:] + b"a", 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"scheme": Scheme.IPN, "node": -1},
        {"scheme": Scheme.IPN, "node": 1 << 64},
        {"scheme": Scheme.IPN, "node": 1, "name": "//a"},
        {"scheme": Scheme.DTN, "node": 1},
        {"scheme": Scheme.DTN, "name": "a"},
    ],
)
def test_an_endpoint_id_that_cannot_be_written_cannot_be_made(fields) -> None:
    with pytest.raises(ValueError, match=r"endpoint id|begins with"):
        EndpointId(**fields)


def test_none_is_written_as_the_rfc_says() -> None:
    assert encode_endpoint(NONE).hex() == "820100"
