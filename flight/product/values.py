"""The values that travel from sensor to link, in the order they are made."""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.instant import Instant

Samples: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]
Tensor: TypeAlias = NDArray[np.int8]


class SensorKind(IntEnum):
    """What a frame's samples are. Numbers are on the wire: add, never renumber."""

    CAMERA = 1
    """(rows, columns) uint8 or uint16, raw counts."""
    CUBE = 2
    """(bands, lines, samples) uint16; a point spectrometer is a cube of one pixel."""
    XRAY = 3
    """(channels,) uint32 counts."""
    SAMPLE = 4
    """(rows, columns) uint8 or uint16: a picture of the sample's canister, and below it rows of
    telemetry as flight.autonomy.sample lists them."""
    RANGE = 5
    """(rows, columns) uint8 or uint16 counts of distance, 0 for no echo; goes with a camera's
    frame of the same moment, whose central square it covers."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One exposure, in the integers that the sensor (or its quantiser) delivered."""

    sensor: str
    kind: SensorKind
    number: int
    """Counts from 0 within a sensor and a boot."""
    taken: Instant
    samples: Samples
    axis: tuple[int, ...] = ()
    """CUBE: centre wavelength of each band in picometres. XRAY: (offset, gain) of channel
    energy, in millielectronvolts and millielectronvolts a channel. CAMERA: () or
    (ground sample distance in micrometres,). SAMPLE: (). RANGE: as for a CAMERA, but needed."""
    unit_counts: int = 0
    """CUBE: counts that stand for reflectance 1.0; 0: unknown. RANGE: counts a metre."""
    live_ms: int = 0
    """XRAY: live time."""
    name: str = ""
    """Where it came from, for people: a file name."""


class Kind(IntEnum):
    """What a finding is of. Numbers are on the wire: add, never renumber."""

    SAFE_SITE = 1
    """row, column: its centre; extent: clear radius in pixels; score: mean raw output there."""
    HAZARD_AREA = 2
    """score: hazardous share of the frame in 1/1000."""
    NO_SAFE_SITE = 3
    """row, column: the place that risks least, where a closer look is worth most."""
    SHADOW_AREA = 4
    """score: share of the frame in deep shadow in 1/1000."""
    FORBIDDEN_AREA = 5
    """score: share of the frame that a range image forbids, in 1/1000; only where there was one."""
    PHASE = 10
    """label: phase number; extent: pixels of that class; score: median raw confidence."""
    ANOMALY = 11
    """row, column: the pixel (line, sample); score: anomaly score; extent: its rank, from 0."""
    ELEMENT = 20
    """label: atomic number; score: net counts in the line's window; extent: 1 sigma of it."""
    METAL = 21
    """Contamination suspected; label: atomic number; score: net share in 1/1000."""
    OXIDE = 22
    """label: atomic number of its metal; score, extent: abundance and 1 sigma in 1/1000 of a
    mass percent."""
    STRANGE_SPECTRUM = 23
    """Unlike what the model knows; score, extent: mean departure and its limit in 1/1000 of an
    octave; label: energy in electronvolts where it departs most."""
    NO_ANSWER = 30
    """label: a NoAnswer reason."""
    SEALED = 40
    """The sample's canister is shut and tight; score: raw output, as for all of these."""
    SEAL_OBSTRUCTED = 41
    """Its lid is down and something holds it off the seal."""
    JAM = 42
    """Scoop or lid stalled on its way."""
    ACQUIRED = 43
    """label: bracket of the amount, from 1; see flight.autonomy.sample."""
    NOT_ACQUIRED = 44
    """Next to nothing is in the canister."""
    SPILL = 45
    """Soil lies beside the canister."""


class NoAnswer(IntEnum):
    """Why a model's word cannot be used. Numbers are on the wire: add, never renumber."""

    LATE = 1
    WORKER_DIED = 2
    MODEL_REFUSED = 3
    LOW_CONFIDENCE = 4
    OUT_OF_DISTRIBUTION = 5
    BAD_FRAME = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing seen, in the frame's own pixels. All integers; see Kind for each one's sense."""

    kind: Kind
    row: int = 0
    column: int = 0
    extent: int = 0
    score: int = 0
    label: int = 0


ROOM_UNKNOWN = -1
"""In place of the bytes that a link has room for: the contact plan cannot tell."""


class Verdict(IntEnum):
    """What a decision says of a frame. Numbers are on the wire: add, never renumber."""

    NOTHING_NEW = 0
    SITE_CHOSEN = 1
    NO_SAFE_SITE = 2
    SURVEYED = 3
    ANOMALY = 4
    NO_ANSWER = 5
    SAMPLE_SEALED = 6
    """A sample is aboard, its canister tight: the ascent may begin."""
    SAMPLE_FAULT = 7
    """Nothing acquired, a jam, or a canister that is not tight."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one frame."""

    frame_number: int
    verdict: Verdict
    keep_evidence: bool
    """Send regions of interest and anomalous spectra (priority 2)."""
    keep_frame: bool
    """Send the whole frame (priority 3)."""
    findings: tuple[Finding, ...]
    maximum_error: int = 0
    """Largest error of a sample of that frame; 0: lossless."""
