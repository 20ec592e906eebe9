"""From product plans to bundles: encode in a lane of its own, send, and know when all is stored.

Nothing here decides. A step counts as done when every part of every product of it is in the
store; until then the journal keeps what is needed to make the same products again.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from flight.autonomy.downlink import Plan
from flight.instant import Instant
from flight.product.codecs import CODECS, Encoded, Integers
from flight.product.events import Event, Happening
from flight.product.part import Header, Part, ProductId, cut_bytes

MAX_PLANS_WAITING = 256
"""Products waiting to be encoded; a payload makes no new step while there are as many."""
ENCODINGS_UNDER_WAY = 2
MOST_ATTEMPTS = 3
"""Times a product is given to the encoder before it is given up, with an event."""


class Encoder(Protocol):
    """A lane that packs arrays without holding up the loop."""

    def submit_encode(self, codec: int, samples: Integers, now: Instant) -> int:
        """Start packing; the number comes back with the answer."""
        ...


class Sender(Protocol):
    """Where bundles' payloads go: the node, with the destination filled in."""

    def __call__(self, payload: bytes, priority: int, now: Instant) -> int:
        """Queue one payload; return the ticket that is told when it is durable."""
        ...


@dataclass(frozen=True, slots=True)
class About:
    """What a product's header says beside its plan."""

    id: ProductId
    sensor: str
    frame_number: int
    taken: Instant
    model_digest: bytes


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    group: int | None
    plan: Plan
    about: About
    attempts: int = 1


class Outbox:
    """Products on their way into the store."""

    def __init__(
        self, encoder: Encoder, send: Sender, *, config_digest: bytes, done: Callable[[int], None]
    ) -> None:
        self._encoder = encoder
        self._send = send
        self._config_digest = config_digest
        self._done = done
        self._waiting: deque[_Job] = deque()
        self._encoding: dict[int, _Job] = {}
        self._unstored: dict[int, int | None] = {}
        self._outstanding: dict[int, int] = {}
        self.products_made = 0
        self.bytes_made = 0

    @property
    def room(self) -> bool:
        """Whether another step's products may be added."""
        return len(self._waiting) < MAX_PLANS_WAITING

    @property
    def idle(self) -> bool:
        """Whether everything handed over is in the store."""
        return not (self._waiting or self._encoding or self._unstored)

    def add(self, plan: Plan, about: About, now: Instant, *, group: int | None = None) -> None:
        """Take one product; ``group`` is the step whose completion it counts towards."""
        if group is not None:
            self._outstanding[group] = self._outstanding.get(group, 0) + 1
        self._waiting.append(_Job(group, plan, about))
        self._start_encodings(now)

    def encoded(self, job: int, parts: tuple[Encoded, ...], now: Instant) -> None:
        """Send the parts of a product that the encoder has finished."""
        done = self._encoding.pop(job, None)
        if done is not None:
            version = CODECS[done.plan.codec].version
            self._send_parts(
                done, version, tuple((part.geometry, part.data) for part in parts), now
            )
        self._start_encodings(now)

    def failed(self, job: int, now: Instant) -> Happening | None:
        """Try again what the encoder's process did not survive; return the loss if it is one."""
        lost = self._encoding.pop(job, None)
        happening = None
        if lost is not None and lost.attempts < MOST_ATTEMPTS:
            self._waiting.appendleft(replace(lost, attempts=lost.attempts + 1))
        elif lost is not None:
            happening = Event.PRODUCT_LOST(product=str(lost.about.id), kind=lost.plan.kind.name)
            self._finish(lost.group)
        self._start_encodings(now)
        return happening

    def stored(self, ticket: int) -> None:
        """Take note that a bundle is durable."""
        if ticket in self._unstored:
            self._finish(self._unstored.pop(ticket))

    def _start_encodings(self, now: Instant) -> None:
        while self._waiting and len(self._encoding) < ENCODINGS_UNDER_WAY:
            job = self._waiting.popleft()
            content = job.plan.content
            if isinstance(content, bytes):
                self._send_parts(job, 1, cut_bytes(content), now)
            else:
                number = self._encoder.submit_encode(job.plan.codec, content, now)
                self._encoding[number] = job

    def _send_parts(
        self,
        job: _Job,
        version: int,
        parts: tuple[tuple[tuple[int, ...], bytes], ...],
        now: Instant,
    ) -> None:
        self.products_made += 1
        for payload in _payloads(job, version, parts, self._config_digest):
            self.bytes_made += len(payload)
            ticket = self._send(payload, job.plan.kind.priority, now)
            self._unstored[ticket] = job.group
            if job.group is not None:
                self._outstanding[job.group] += 1
        self._finish(job.group)

    def _finish(self, group: int | None) -> None:
        """Count down a group; tell when nothing of it is outstanding."""
        if group is None:
            return
        self._outstanding[group] -= 1
        if not self._outstanding[group]:
            del self._outstanding[group]
            self._done(group)


def _payloads(
    job: _Job, version: int, parts: tuple[tuple[tuple[int, ...], bytes], ...], config_digest: bytes
) -> Iterator[bytes]:
    about = job.about
    header = Header(
        id=about.id,
        kind=job.plan.kind,
        sensor=about.sensor,
        frame_number=about.frame_number,
        taken=about.taken,
        model_digest=about.model_digest,
        config_digest=config_digest,
        codec=job.plan.codec,
        codec_version=version,
        count=len(parts),
    )
    for index, (geometry, data) in enumerate(parts):
        yield Part(header, index, geometry, data).encode()
