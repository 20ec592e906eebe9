"""The node's local socket: operators look in, and a user's own process sends and receives bundles.

Requests and answers are JSON objects, one a line; payloads are base64.

    {"do": "status"}                       -> {"status": {...}}
    {"do": "bundles"}                      -> {"bundles": [{...}, ...]}
    {"do": "drop", "number": 17}           -> {"dropped": 17}
    {"do": "send", "to": "ipn:30.70", "payload": "aGVsbG8=", "lifetime_s": 3600}
                                           -> {"stored": "ipn:10.1/..."} once it is durable
    {"do": "receive", "service": 70}       -> {"bundle": {"id", "from", "payload", "number"}} ...
    {"do": "release", "number": 5}         -> the bundle is yours; until then it comes again

A service that stands in the node's ``services`` is received while nobody listens, too: its bundles
wait. Any other exists for as long as its process is connected. Without a ``service``, "receive"
gives out a free one: ``{"receiving": 40001}``.

With ``"from": 70`` a bundle comes from that service, so that answers go there, and with
``"reports": true`` it asks each node on its way for status reports (RFC 9171 section 6.1.1), each
of which comes as ``{"report": {"bundle", "by", "said": [["received", DTN ms]], "reason"}}``.
"""

import base64
import binascii
import secrets
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from flight.instant import Instant
from flight.ports.localsocket import Client, LocalServer, Message
from flight.relay.bundle import BundleFlag, BundleId
from flight.relay.bundle.values import REPORT_FLAGS
from flight.relay.endpoint import NONE, ipn, parse_endpoint
from flight.relay.node import Delivery, Node, ReportReceived
from flight.relay.node.labels import priority_of, read_identity
from flight.relay.node.names import placed
from flight.relay.node.queues import Held

MAX_WAITING = 256
"""Deliveries that wait for their process; further ones stay in the store until a restart."""
MAX_WATCHED = 1_024
"""Bundles whose status reports are passed on; the oldest are forgotten."""
DEFAULT_LIFETIME_S = 86_400
FREE_SERVICES = range(40_000, 50_000)
"""Given out to who wants any service."""


def socket_path(store: Path) -> Path:
    """Return where a node's local socket stands."""
    return store / "socket"


class Gateway:
    """Serves the local socket, as a member of the loop."""

    def __init__(
        self, server: LocalServer, node: Node, *, taken: frozenset[int] = frozenset()
    ) -> None:
        """Serve a node; services in ``taken`` are for others in this process."""
        self._server = server
        self._node = node
        self._taken = taken
        self._sent: dict[int, int] = {}
        """Who waits for which ticket."""
        self._listeners: dict[int, int] = {}
        """Which client receives a service."""
        self._waiting: dict[int, Delivery] = {}
        self._shown: dict[int, int] = {}
        """To whom a delivery was shown and who has not released it."""
        self._deliveries = 0
        self._given_out = secrets.randbelow(len(FREE_SERVICES))
        self._to_watch: set[int] = set()
        """Tickets of bundles that asked for reports."""
        self._watched: dict[str, int] = {}
        """Who is told of the reports on a bundle."""
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
            self._forget(gone, now)

    def deliver(self, delivery: Delivery, now: Instant) -> None:
        """Hand a bundle to the process that receives its service, now or when it comes."""
        service = delivery.destination.service
        if service not in self._listeners and service not in self._node.settings.services:
            # Its process has gone since, and nobody else will ask for it.
            self._node.release(delivery, now)
            return
        if len(self._waiting) >= MAX_WAITING:
            return
        self._deliveries += 1
        self._waiting[self._deliveries] = delivery
        self._show_waiting()

    def stored(self, ticket: int, bundle: str) -> None:
        """Tell who sent it that a bundle is durable; an empty name: it found no room."""
        number = self._sent.pop(ticket, 0)
        client = self._server.clients.get(number)
        if ticket in self._to_watch:
            self._to_watch.remove(ticket)
            self._watched[bundle] = number
            if len(self._watched) > MAX_WATCHED:
                del self._watched[next(iter(self._watched))]
        if client is not None:
            client.answer({"stored": bundle} if bundle else {"error": "the store has no room"})

    def reported(self, event: ReportReceived) -> None:
        """Tell who sent a bundle what a node on its way says of it."""
        report = event.report
        whole = BundleId(*report.subject[:3])
        client = self._server.clients.get(self._watched.get(str(whole), 0))
        if client is not None:
            said = [[status.name.lower(), time_ms] for status, time_ms in report.asserted]
            told = {"bundle": str(whole), "by": str(event.reporter), "said": said}
            client.answer({"report": {**told, "reason": report.reason}})

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
        usual = priority_of(placed(self._node.settings, destination))
        wants_reports = request.get("reports") is True
        ticket = self._node.send(
            base64.b64decode(str(request["payload"]), validate=True),
            destination=destination,
            priority=_integer(request, "priority", default=usual),
            lifetime_ms=_integer(request, "lifetime_s", default=DEFAULT_LIFETIME_S) * 1000,
            now=now,
            source_service=_integer(request, "from", default=0) or None,
            report_to=ipn(self._node.settings.node_number, 0) if wants_reports else NONE,
            flags=REPORT_FLAGS | BundleFlag.STATUS_TIME if wants_reports else 0,
        )
        self._sent[ticket] = client.number
        if wants_reports:
            self._to_watch.add(ticket)

    def _receive(self, client: Client, request: Message, now: Instant) -> None:
        del now
        if "service" in request:
            service = _integer(request, "service")
        else:
            service = self._free_service()
            client.answer({"receiving": service})
        if service in self._taken:
            raise ValueError(f"service {service} is received by the node's own program")
        if service not in self._node.settings.services:
            self._node.open_service(service)
        self._listeners[service] = client.number
        self._show_waiting()

    def _free_service(self) -> int:
        """Return the next one round: answers that come late meet nobody else there."""
        self._given_out += 1
        return FREE_SERVICES[self._given_out % len(FREE_SERVICES)]

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

    def _forget(self, gone: int, now: Instant) -> None:
        """Keep for the next one what a client has not released; close the services it opened."""
        self._shown = {n: client for n, client in self._shown.items() if client != gone}
        self._sent = {t: client for t, client in self._sent.items() if client != gone}
        self._watched = {b: client for b, client in self._watched.items() if client != gone}
        closed = {service for service, client in self._listeners.items() if client == gone}
        self._listeners = {s: client for s, client in self._listeners.items() if client != gone}
        for service in closed - set(self._node.settings.services):
            self._node.close_service(service)
            for number, delivery in list(self._waiting.items()):
                if delivery.destination.service == service:
                    self._node.release(self._waiting.pop(number), now)


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
