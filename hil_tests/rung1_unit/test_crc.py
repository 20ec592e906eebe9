import pytest

from flight.relay.crc import CRC_BYTES, CrcType, block_crc, crc16_x25, crc32c

CHECK = b"123456789"


def test_crc16_x25_has_its_published_check_value() -> None:
    assert crc16_x25(CHECK) == 0x906E


def test_crc32c_has_its_published_check_value() -> None:
    assert crc32c(CHECK) == 0xE3069283


def test_crc32c_has_the_value_of_rfc_3720_for_32_zeros() -> None:
    assert crc32c(bytes(32)) == 0x8A9136AA


def _bitwise_x25(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc ^ 0xFFFF


@pytest.mark.parametrize("length", [0, 1, 2, 255, 1000])
def test_crc16_x25_agrees_with_its_definition_bit_by_bit(length: int) -> None:
    data = bytes(i * 37 & 0xFF for i in range(length))
    assert crc16_x25(data) == _bitwise_x25(data)


@pytest.mark.parametrize("crc_type", list(CrcType))
def test_a_block_crc_has_its_types_length_and_counts_its_own_bytes_as_zero(
    crc_type: CrcType,
) -> None:
    crc = block_crc(crc_type, CHECK)
    assert len(crc) == CRC_BYTES[crc_type]
    full = CHECK + bytes(len(crc))
    expected = {
        CrcType.NONE: b"",
        CrcType.CRC16: crc16_x25(full).to_bytes(2, "big"),
        CrcType.CRC32C: crc32c(full).to_bytes(4, "big"),
    }
    assert crc == expected[crc_type]
