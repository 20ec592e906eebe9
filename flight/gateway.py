"""The node's local socket: operators look in, and a user's own process sends and receives bundles.

Requests and answers are JSON objects, one a line; payloads are base64.

    {"do": "status"}                       -> {"status": {...}}
    {"do": "bundles"}                      -> {"bundles": [{...}, ...]}
    {"do": "drop", "number": 17}           -> {"dropped": 17}
    {"do": "send", "to": "ipn:30.70", "payload": "aGVsbG8=", "lifetime_s": 3600}
                                           -> {"stored": "ipn:10.1/..."} once it is durable
    {"do": "receive", "service": 70}       -> {"bundle": {"id", "from", "payload", "number"}} ...
    {"do": "release", "number": 5}         -> the bundle is yours; until then it comes again

A service that is received here must stand in the node's ``services``.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from flight.board.localsocket import Client, LocalServer, Message
from flight.instant import Instant
from flight.relay.endpoint import parse_endpoint
from flight.relay.node import Delivery, Node
from flight.relay.node.labels import priority_of, read_identity
from flight.relay.node.queues import Held

MAX_WAITING = 256
"""Deliveries that wait for their process; further ones stay in the store until a restart."""
DEFAULT_LIFETIME_S = 86_400


def socket_path(store: Path) -> Path:
    """Return where a node's local socket stands."""
    return store / "socket"


class Gateway:
    """Serves the local socket, as a member of the loop."""

    def __init__(self, server: LocalServer, node: Node) -> None:
        self._server = server
        self._node = node
        self._sent: dict[int, int] = {}
        """Who waits for which ticket."""
        self._listeners: dict[int, int] = {}
        """Which client receives a service."""
        self._waiting: dict[int, Delivery] = {}
        self._shown: dict[int, int] = {}
        """To whom a delivery was shown and who has not released it."""
        self._deliveries = 0
        self._requests: dict[str, Callable[[Client, Message, Instant], None]] = {
            "status": self._status,
            "bundles": self._bundles,
            "drop": self._drop,
            "send": self._send,
            "receive": self._receive,
            "release": self._release,
        }

    def filenos(self) -> tuple[int, ...]:
        """Return the socket's descriptors."""
        return self._server.filenos()

    def next_deadline_ns(self) -> int | None:
        """Return None: only descriptors count."""
        return None

    def turn(self, now: Instant) -> None:
        """Do what was asked, and send the answers."""
        self._server.accept()
        for client in list(self._server.clients.values()):
            for request in client.read():
                self._serve(client, request, now)
        for gone in self._server.sweep():
            self._forget(gone)

    def deliver(self, delivery: Delivery) -> None:
        """Hand a bundle to the process that receives its service, now or when it comes."""
        if len(self._waiting) >= MAX_WAITING:
            return
        self._deliveries += 1
        self._waiting[self._deliveries] = delivery
        self._show_waiting()

    def stored(self, ticket: int, bundle: str) -> None:
        """Tell who sent it that a bundle is durable; an empty name: it found no room."""
        client = self._server.clients.get(self._sent.pop(ticket, 0))
        if client is not None:
            client.answer({"stored": bundle} if bundle else {"error": "the store has no room"})

    def _serve(self, client: Client, request: Message, now: Instant) -> None:
        handler = self._requests.get(str(request.get("do")))
        if handler is None:
            client.answer({"error": f"do must be one of {', '.join(self._requests)}"})
            return
        try:
            handler(client, request, now)
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            client.answer({"error": f"{request.get('do')}: {error}"})

    def _status(self, client: Client, request: Message, now: Instant) -> None:
        del request
        client.answer({"status": asdict(self._node.status(now))})

    def _bundles(self, client: Client, request: Message, now: Instant) -> None:
        del request
        client.answer({"bundles": [_row(held, now) for held in self._node.bundles()]})

    def _drop(self, client: Client, request: Message, now: Instant) -> None:
        del now
        number = _integer(request, "number")
        if all(held.entry.sequence != number for held in self._node.bundles()):
            raise ValueError(f"there is no bundle {number}")
        self._node.drop(number)
        client.answer({"dropped": number})

    def _send(self, client: Client, request: Message, now: Instant) -> None:
        destination = parse_endpoint(str(request["to"]))
        ticket = self._node.send(
            base64.b64decode(str(request["payload"]), validate=True),
            destination=destination,
            priority=_integer(request, "priority", default=priority_of(destination)),
            lifetime_ms=_integer(request, "lifetime_s", default=DEFAULT_LIFETIME_S) * 1000,
            now=now,
        )
        self._sent[ticket] = client.number

    def _receive(self, client: Client, request: Message, now: Instant) -> None:
        del now
        self._listeners[_integer(request, "service")] = client.number
        self._show_waiting()

    def _release(self, client: Client, request: Message, now: Instant) -> None:
        number = _integer(request, "number")
        if self._shown.get(number) != client.number:
            raise ValueError(f"bundle {number} is not yours")
        del self._shown[number]
        self._node.release(self._waiting.pop(number), now)

    def _show_waiting(self) -> None:
        for number, delivery in self._waiting.items():
            listener = self._listeners.get(delivery.destination.service, 0)
            client = self._server.clients.get(listener)
            if client is None or number in self._shown:
                continue
            self._shown[number] = client.number
            client.answer(
                {
                    "bundle": {
                        "number": number,
                        "id": str(delivery.bundle_id),
                        "from": str(delivery.source),
                        "to": str(delivery.destination),
                        "payload": base64.b64encode(delivery.payload).decode(),
                    }
                }
            )

    def _forget(self, gone: int) -> None:
        """Keep for the next one what a client has not released."""
        self._shown = {n: client for n, client in self._shown.items() if client != gone}
        self._sent = {t: client for t, client in self._sent.items() if client != gone}
        self._listeners = {s: client for s, client in self._listeners.items() if client != gone}


def _integer(request: Message, key: str, *, default: int | None = None) -> int:
    value = request.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 53:
        raise ValueError(f"{key} must be a whole number of 0 or more")
    return value


def _row(held: Held, now: Instant) -> Message:
    entry = held.entry
    return {
        "number": entry.sequence,
        "id": str(read_identity(entry.identity)),
        "to": str(held.label.destination),
        "priority": entry.priority,
        "bytes": entry.length,
        "state": held.stage.value,
        "attempts": held.attempts,
        "here_s": (now.mono_ns - held.since.mono_ns) // 1_000_000_000,
        "expires_dtn_ms": entry.expires_dtn_ms,
    }
