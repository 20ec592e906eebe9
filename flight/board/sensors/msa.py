"""X-ray spectra in the EMSA/MAS format (.msa), and in PIXL's dialect of it.

Source: ISO 22029:2012, the EMSA/MAS standard file format for spectral-data exchange. Lines
"#KEY : value", then "#SPECTRUM", the counts, "#ENDOFDATA". With data type Y successive channels
follow each other, NCOLUMNS of them a line; XY holds pairs of energy and counts. PIXL writes YY
for two detectors, A and B: a column each, and two numbers in XPERCHAN, OFFSET and LIVETIME.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from flight.board.sensors.reading import MAX_DIMENSION, FrameError, Reading, reading_of
from flight.product.values import SensorKind

MAX_FILE_BYTES = 4 << 20
_MILLI_EV = {"ev": 1e3, "kev": 1e6}
_LINE = re.compile(r"#+\s*([A-Za-z_]+)[^:]*:?(.*)")
_NUMBER = r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?"
_NUMBERS = re.compile(rf"\s*({_NUMBER}(?:\s*,\s*{_NUMBER})*)")
_AGAIN = "export the spectrum again as EMSA/MAS"


def read_msa(name: str, data: bytes, detector: str = "") -> Reading:
    """Return one spectrum: of ``detector`` ("A" or "B"), or with "" the sum of all detectors.

    Raises:
        FrameError: not an EMSA/MAS file, counts are missing or not whole, the detector is not
            there, or detectors whose energy axes differ would have to be summed.
    """
    if len(data) > MAX_FILE_BYTES:
        raise FrameError(name, f"{len(data)} bytes", f"the limit is {MAX_FILE_BYTES} bytes")
    keys, values = _read(name, data.decode("latin-1"))
    columns, kind = _columns(name, keys, values)
    chosen = _chosen(name, columns.shape[1], detector)
    axes = {_axis(keys, column) if kind != "XY" else _axis_of(keys, values) for column in chosen}
    if len(axes) > 1:
        raise FrameError(
            name, "its detectors differ in energy axis", 'set the sensor\'s detector to "A" or "B"'
        )
    reading = reading_of(name, SensorKind.XRAY, columns[:, chosen].sum(axis=1), float_unit_counts=1)
    live = [_nth(_numbers(keys, "LIVETIME"), column) for column in chosen]
    return Reading(
        samples=reading.samples,
        axis=axes.pop(),
        # Detectors count side by side: their sum lived as long as one of them, not twice.
        live_ms=round(1000 * max(0.0, sum(live) / len(live))),
        bad_samples=reading.bad_samples,
    )


def _read(name: str, text: str) -> tuple[dict[str, str], NDArray[np.float64]]:
    """Return the header by key in capitals, and all numbers of the data section."""
    lines = iter(text.splitlines())
    keys: dict[str, str] = {}
    for line in lines:
        found = _LINE.match(line)
        key = found[1].upper() if found else ""
        if key == "SPECTRUM":
            break
        if found:
            keys.setdefault(key, found[2].strip())
    else:
        raise FrameError(name, 'there is no "#SPECTRUM" line', _AGAIN)
    if "EMSA/MAS" not in keys.get("FORMAT", "").upper():
        raise FrameError(name, "not an EMSA/MAS spectrum", _AGAIN)
    words = " ".join(takewhile(lambda line: not line.startswith("#"), lines)).replace(",", " ")
    try:
        return keys, np.array([float(word) for word in words.split()])
    except ValueError as error:
        raise FrameError(name, f"its counts hold a word ({error})", _AGAIN) from error


def _columns(
    name: str, keys: Mapping[str, str], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], str]:
    """Return (channels, detectors) counts and the data type."""
    kind = "".join(keys.get("DATATYPE", "Y").upper().split()[:1])
    if kind != "XY" and set(kind) != {"Y"}:
        raise FrameError(name, f"data type {kind[:20]!r}", "Y, YY and XY are read")
    points = _numbers(keys, "NPOINTS")[0]
    if not 1 <= points <= MAX_DIMENSION:
        raise FrameError(name, f"NPOINTS is {points:g}", f"it must be 1 to {MAX_DIMENSION}")
    wanted = int(points) * len(kind)
    if len(values) != wanted:
        raise FrameError(
            name,
            f"{len(values)} numbers, its header promises {wanted}",
            "the file is cut short or joined: copy it again",
        )
    table = values.reshape(-1, len(kind))
    return (table[:, 1:], kind) if kind == "XY" else (table, kind)


def _chosen(name: str, detectors: int, detector: str) -> list[int]:
    if not detector:
        return list(range(detectors))
    number = "ABCDEFGH".find(detector.upper())
    if len(detector) != 1 or not 0 <= number < detectors:
        raise FrameError(
            name, f"it has {detectors} detector(s), no {detector!r}", 'set detector to "A" or ""'
        )
    return [number]


def _axis(keys: Mapping[str, str], column: int) -> tuple[int, ...]:
    """Return (offset, gain) in millielectronvolts; () where the file is not calibrated."""
    unit = _milli_ev(keys)
    gain = _nth(_numbers(keys, "XPERCHAN"), column)
    if not unit or not gain > 0:
        return ()
    return (round(_nth(_numbers(keys, "OFFSET"), column) * unit), round(gain * unit))


def _axis_of(keys: Mapping[str, str], values: NDArray[np.float64]) -> tuple[int, ...]:
    """Return (offset, gain) from the energies of an XY file."""
    energies = values[::2]
    gain = (float(energies[-1]) - float(energies[0])) / max(1, len(energies) - 1)
    unit = _milli_ev(keys)
    if not unit or not 0 < gain < 1e9 or not abs(float(energies[0])) < 1e9:
        return ()
    return (round(float(energies[0]) * unit), round(gain * unit))


def _milli_ev(keys: Mapping[str, str]) -> float:
    return _MILLI_EV.get("".join(keys.get("XUNITS", "").lower().split()[:1]), 0.0)


def _numbers(keys: Mapping[str, str], key: str) -> tuple[float, ...]:
    """Return the numbers a value starts with; words may follow them. (0.0,) where none do."""
    found = _NUMBERS.match(keys.get(key, ""))
    try:
        numbers = tuple(float(word) for word in found[1].split(",")) if found else (0.0,)
    except ValueError:  # such as "1.2.3"
        return (0.0,)
    return numbers if all(abs(number) < 1e9 for number in numbers) else (0.0,)


def _nth(numbers: Sequence[float], column: int) -> float:
    """Return a detector's number; one number serves them all."""
    return numbers[min(column, len(numbers) - 1)]
