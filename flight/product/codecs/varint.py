"""Small unsigned numbers in front of a stream: seven bits a byte, low first, top bit for more."""

from collections.abc import Iterable

from flight.product.errors import WireError

_LONGEST_BYTES = 6


def write_varints(numbers: Iterable[int]) -> bytes:
    """Return the numbers, each as short as it can be."""
    data = bytearray()
    for number in numbers:
        rest = number
        while rest > 0x7F:
            data.append(rest & 0x7F | 0x80)
            rest >>= 7
        data.append(rest)
    return bytes(data)


def read_varints(data: bytes, count: int, place: int = 0) -> tuple[list[int], int]:
    """Return ``count`` numbers and where the rest of ``data`` begins.

    Raises:
        WireError: the data end first, or a number is longer than six bytes.
    """
    numbers = []
    for _ in range(count):
        number = 0
        for position in range(_LONGEST_BYTES):
            if place >= len(data):
                raise WireError("numbers are cut short")
            byte = data[place]
            place += 1
            number |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                break
        else:
            raise WireError("a number is too long")
        numbers.append(number)
    return numbers, place
