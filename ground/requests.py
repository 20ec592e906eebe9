"""Requests to boards: files in the archive, which the running station sends and renames.

    archive/requests/848620800.json        waits for the station
    archive/requests/848620800.sent.json   durable in the station's store, on its way

A file is complete when it has its name, so a request outlives any process. Should the station
die between sending and renaming, the command goes out twice; a board does a number once.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from flight.product.status import Command, CommandKind

FOLDER = "requests"
WAITING, SENT = ".json", ".sent.json"
MOST_WAITING = 1024
"""Further requests are refused until the station has sent some."""
MAX_FILE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Request:
    """One command for one board."""

    board: int
    """Node number."""
    command: Command
    asked_ms: int
    """When it was asked, DTN milliseconds."""
    sent: bool = False


class RequestError(ValueError):
    """The request cannot be queued; the message says why."""


def queue_request(
    archive: Path, *, board: int, kind: CommandKind, sensor: str, frame_number: int, now_ms: int
) -> Request:
    """Put a request where the station finds it, and return it with its number.

    Raises:
        RequestError: too many wait already, or the sensor's name is too long to be one.
        OSError: the folder cannot be written.
    """
    folder = archive / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    requests = read_requests(archive)
    if sum(not request.sent for request in requests) >= MOST_WAITING:
        raise RequestError(f"{MOST_WAITING} requests wait already; is the station running?")
    if len(sensor) > 64:
        raise RequestError("no sensor has a name of more than 64 characters")
    # Counting on from the clock keeps numbers unique even when an archive is begun anew.
    number = max([now_ms // 1000, *(request.command.number + 1 for request in requests)])
    while True:
        request = Request(board, Command(number, kind, sensor, frame_number), now_ms)
        if _create(folder / f"{number}{WAITING}", _pack(request)):
            return request
        number += 1


def read_requests(archive: Path) -> tuple[Request, ...]:
    """Return all requests of an archive by number; files that are none are passed over."""
    found = (_read(path) for path in (archive / FOLDER).glob("*.json"))
    return tuple(
        sorted(
            (request for request in found if request is not None), key=lambda r: r.command.number
        )
    )


def mark_sent(archive: Path, request: Request) -> None:
    """Note that a request is durable in the station's store."""
    path = archive / FOLDER / f"{request.command.number}{WAITING}"
    path.replace(path.with_suffix(SENT))


def _create(path: Path, data: bytes) -> bool:
    """Write a file that is complete when it appears; False: the name is taken."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        return False
    finally:
        fresh.unlink()
    return True


def _pack(request: Request) -> bytes:
    command = request.command
    table = {
        "board": request.board,
        "number": command.number,
        "kind": command.kind.name.lower(),
        "sensor": command.sensor,
        "frame_number": command.frame_number,
        "asked_ms": request.asked_ms,
    }
    return json.dumps(table, indent=2).encode() + b"\n"


def _read(path: Path) -> Request | None:
    try:
        with path.open("rb") as file:
            table = json.loads(file.read(MAX_FILE_BYTES))
        command = Command(
            number=int(table["number"]),
            kind=CommandKind[str(table["kind"]).upper()],
            sensor=str(table["sensor"]),
            frame_number=int(table["frame_number"]),
        )
        sent = path.name.endswith(SENT)
        return Request(int(table["board"]), command, int(table["asked_ms"]), sent)
    except (OSError, ValueError, KeyError, TypeError):
        return None
