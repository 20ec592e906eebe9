"""The high-water mark: a copy of the ledger outside the log.

A damaged last commit looks like one that a power cut tore before it was acknowledged; the mark
tells the two apart. It is written after commits and not synced at once: then it can only be
behind the log after a power cut, never ahead, so "ahead" always means loss. Two slots, written in
turn, survive a torn write.
"""

import struct
from pathlib import Path

from flight.relay.store.files import Files
from flight.relay.store.records import Ledger, crc_of

SLOT_BYTES = 512
_MARK = struct.Struct(">8sQQQQ")
_MAGIC = b"farsidH2"


class HighWater:
    """The two slots of one file."""

    def __init__(self, files: Files, path: Path) -> None:
        """Open the file; a new one has no valid slot."""
        self._files = files
        self._descriptor = files.open(path)

    def lock(self) -> bool:
        """Take the store; False: another process has it."""
        return self._files.lock(self._descriptor)

    def begin(self) -> None:
        """Make the slots of a new store sound, before its log is made.

        A mark that is there already stays: the log has gone, and that must be told.
        """
        if self.read()[0] in {None, Ledger()}:
            self.write_both(Ledger())

    def read(self) -> tuple[Ledger | None, int]:
        """Return the later of the sound slots, and how many slots are not sound."""
        data = self._files.read(self._descriptor, 2 * SLOT_BYTES, 0)
        slots = [_read_slot(data[at : at + SLOT_BYTES]) for at in (0, SLOT_BYTES)]
        sound = [slot for slot in slots if slot is not None]
        latest = max(sound, key=lambda ledger: ledger.commit, default=None)
        return latest, 2 - len(sound)

    def write(self, ledger: Ledger) -> None:
        """Write the ledger into the slot whose turn it is."""
        self._files.write(self._descriptor, (_pack_slot(ledger),), SLOT_BYTES * (ledger.commit & 1))

    def write_both(self, ledger: Ledger) -> None:
        """Write the ledger into both slots and sync: a new file, or a repaired one."""
        self._files.write(self._descriptor, (_pack_slot(ledger),) * 2, 0)
        self.sync()

    def sync(self) -> None:
        """Return once the mark is on the medium."""
        self._files.sync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        self._files.close(self._descriptor)


def _pack_slot(ledger: Ledger) -> bytes:
    mark = _MARK.pack(_MAGIC, *ledger).ljust(SLOT_BYTES - 4, b"\0")
    return mark + crc_of(mark).to_bytes(4, "big")


def _read_slot(slot: bytes) -> Ledger | None:
    if len(slot) < SLOT_BYTES or crc_of(slot[:-4]) != int.from_bytes(slot[-4:], "big"):
        return None
    magic, *fields = _MARK.unpack_from(slot)
    return Ledger(*fields) if magic == _MAGIC else None
