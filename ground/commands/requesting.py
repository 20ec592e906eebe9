"""`ground request`: ask a board for something, through the running station."""

import argparse

from flight.product.part import ProductKind
from flight.product.status import CommandKind, Reply
from ground.archive import Archive, open_archive
from ground.clock import GroundClock
from ground.commands.common import (
    OK,
    Subparsers,
    UsageError,
    add_archive,
    add_command,
    add_json,
    print_json,
)
from ground.console import clean, table
from ground.library import Library
from ground.requests import Request, RequestError, queue_request, read_requests
from ground.rows import Filter
from ground.times import utc


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        subparsers,
        "request",
        run,
        about="ask a board for a whole frame (priority 3); the running station sends it",
        example="ground request --archive station/archive --board 1 --sensor camera --frame 7\n"
        "  ground request --archive station/archive --list",
    )
    add_archive(parser)
    add_json(parser)
    parser.add_argument("--list", action="store_true", help="what was asked, and what became of it")
    parser.add_argument("--board", type=int, metavar="NODE", help="the board's node number")
    parser.add_argument("--sensor", default="", help="whose frame")
    parser.add_argument("--frame", type=int, metavar="NUMBER", help="which frame")
    parser.add_argument(
        "--health", action="store_true", help="ask for housekeeping instead of a frame"
    )


def run(options: argparse.Namespace) -> int:
    """Queue a request, or list all."""
    with open_archive(options.archive, make=True) as archive:
        if options.list:
            _list(archive, as_json=options.json)
            return OK
        request = _queue(archive, options)
    if options.json:
        print_json(_request_json(request, None))
    else:
        print(
            f"request {request.command.number} waits for the station; --list says what became of it"
        )
    return OK


def _queue(archive: Archive, options: argparse.Namespace) -> Request:
    kind = CommandKind.SEND_HEALTH if options.health else CommandKind.SEND_FRAME
    if options.board is None or options.board < 1:
        raise UsageError("name the board: --board NODE")
    if kind is CommandKind.SEND_FRAME and (not options.sensor or options.frame is None):
        raise UsageError("name the frame: --sensor NAME --frame NUMBER, as `ground ls` shows them")
    if options.frame is not None and options.frame < 0:
        raise UsageError("frames count from 0")
    try:
        return queue_request(
            archive.folder,
            board=options.board,
            kind=kind,
            sensor=options.sensor,
            frame_number=options.frame or 0,
            now_ms=GroundClock().now().dtn_ms,
        )
    except RequestError as error:
        raise UsageError(str(error)) from error


def _list(archive: Archive, *, as_json: bool) -> None:
    requests = read_requests(archive.folder)
    replies = _replies(archive)
    if as_json:
        print_json([_request_json(r, replies.get(r.command.number)) for r in requests])
        return
    rows = [
        (
            str(request.command.number),
            str(request.board),
            _what(request),
            utc(request.asked_ms),
            _became(request, replies.get(request.command.number)),
        )
        for request in requests
    ]
    print(table(("number", "board", "request", "asked (UTC)", "became of it"), rows, right="rr"))


def _replies(archive: Archive) -> dict[int, Reply]:
    library = Library(archive)
    replies = {}
    for row in archive.products(Filter(kinds=frozenset((ProductKind.REPLY,)))):
        record = library.record(row.header.id)
        if isinstance(record, Reply):
            replies[record.number] = record
    return replies


def _what(request: Request) -> str:
    command = request.command
    words = command.kind.name.lower().replace("_", " ")
    frame = command.kind is CommandKind.SEND_FRAME
    return f"{words} {clean(command.sensor)} {command.frame_number}" if frame else words


def _became(request: Request, reply: Reply | None) -> str:
    if reply is not None:
        return f"{'done' if reply.done else 'refused'}: {clean(reply.words)}"
    return "sent" if request.sent else "waits for the station"


def _request_json(request: Request, reply: Reply | None) -> dict[str, object]:
    return {
        "number": request.command.number,
        "board": request.board,
        "kind": request.command.kind.name.lower(),
        "sensor": request.command.sensor,
        "frame_number": request.command.frame_number,
        "asked_dtn_ms": request.asked_ms,
        "sent": request.sent,
        "done": reply.done if reply else None,
        "reply": reply.words if reply else None,
    }
