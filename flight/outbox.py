"""From product plans to bundles: encode in a lane of its own, send, and know when all is stored.

Nothing here decides. A step counts as done when every part of every product of it is in the
store; until then the journal keeps what is needed to make the same products again.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from flight.autonomy.downlink import Plan, shares
from flight.board.jobs import Answer, EncodeJob
from flight.instant import Instant
from flight.product.codecs import CODECS
from flight.product.events import Event, Happening
from flight.product.names import bundle_sequence
from flight.product.part import Header, Part, ProductId, cut_bytes

MAX_PLANS_WAITING = 256
"""Products waiting to be encoded; a payload makes no new step while there are as many."""
ENCODINGS_UNDER_WAY = 2
RETRY_NS = 5_000_000_000
"""How long a full store is left alone before it is asked again."""
MOST_ATTEMPTS = 3
"""Times a product is given to the encoder before it is given up, with an event."""


class Encoder(Protocol):
    """Packs arrays without holding up the loop: the supervisor's encoding lane."""

    def submit(self, job: EncodeJob, now: Instant) -> int | None:
        """Start packing; the number comes back with the answer. None: no room now."""
        ...


Name: TypeAlias = tuple[int, int]
"""Creation time in DTN milliseconds and sequence number of a bundle."""
Send: TypeAlias = Callable[[bytes, int, Name, Instant], int]
"""Queues one payload at a priority under a name; returns the ticket that is told when it is
durable. A product that is made again has the same names, so no node keeps it twice."""


@dataclass(frozen=True, slots=True)
class About:
    """What a product's header says beside its plan."""

    id: ProductId
    sensor: str
    frame_number: int
    taken: Instant
    model_digest: bytes


@dataclass(frozen=True, slots=True)
class _Sent:
    """A bundle's payload until it is in the store."""

    group: int | None
    payload: bytes
    priority: int
    name: Name


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    group: int | None
    plan: Plan
    about: About
    attempts: int = 1


class Outbox:
    """Products on their way into the store."""

    def __init__(
        self, encoder: Encoder, send: Send, *, config_digest: bytes, done: Callable[[int], None]
    ) -> None:
        self._encoder = encoder
        self._send = send
        self._config_digest = config_digest
        self._done = done
        self._waiting: deque[_Job] = deque()
        self._encoding: dict[int, _Job] = {}
        self._unstored: dict[int, _Sent] = {}
        self._refused: list[_Sent] = []
        self._retry_ns: int | None = None
        self._outstanding: dict[int, int] = {}
        self.products_made = 0
        self.bytes_made = 0

    @property
    def room(self) -> bool:
        """Whether another step's products may be added; not while the store has no room."""
        return len(self._waiting) < MAX_PLANS_WAITING and not self._refused

    @property
    def idle(self) -> bool:
        """Whether everything handed over is in the store."""
        return not (self._waiting or self._encoding or self._unstored or self._refused)

    @property
    def waiting_bytes(self) -> int:
        """Raw size of the arrays that are still to be packed."""
        jobs = (*self._waiting, *self._encoding.values())
        contents = (job.plan.content for job in jobs)
        return sum(0 if isinstance(c, bytes) else c.nbytes for c in contents)

    def next_deadline_ns(self) -> int | None:
        """Return when to offer the store again what it had no room for."""
        return self._retry_ns

    def add(self, plan: Plan, about: About, now: Instant, *, group: int | None = None) -> None:
        """Take one product; ``group`` is the step whose completion it counts towards."""
        if group is not None:
            self._outstanding[group] = self._outstanding.get(group, 0) + 1
        self._waiting.append(_Job(group, plan, about))
        self._start_encodings(now)

    def take(self, answer: Answer, now: Instant) -> Happening | None:
        """Send the parts of a product that was packed, or try it again.

        Returns the loss, where the encoder's process did not survive a product MOST_ATTEMPTS times.
        """
        job = self._encoding.pop(answer.job, None)
        loss = None
        if job is None:
            return None
        if answer.no_answer is None:
            version = CODECS[job.plan.codec].version
            for plan, parts in shares(job.plan, answer.parts):
                share = replace(job, plan=plan, about=_about(job, plan))
                self._send_parts(share, version, tuple((p.geometry, p.data) for p in parts), now)
            self._finish(job.group)
        elif job.attempts < MOST_ATTEMPTS:
            self._waiting.appendleft(replace(job, attempts=job.attempts + 1))
        else:
            loss = Event.PRODUCT_LOST(product=str(job.about.id), kind=job.plan.kind.name)
            self._finish(job.group)
        self._start_encodings(now)
        return loss

    def stored(self, ticket: int) -> None:
        """Take note that a bundle is durable."""
        sent = self._unstored.pop(ticket, None)
        if sent is not None:
            self._finish(sent.group)

    def refused(self, ticket: int, now: Instant) -> None:
        """Keep what the store had no room for, and offer it again later."""
        sent = self._unstored.pop(ticket, None)
        if sent is not None:
            self._refused.append(sent)
            self._retry_ns = now.mono_ns + RETRY_NS

    def expire(self, now: Instant) -> None:
        """Offer the store again what it had no room for; try to start encodings."""
        if self._retry_ns is not None and self._retry_ns <= now.mono_ns:
            again, self._refused, self._retry_ns = self._refused, [], None
            for sent in again:
                self._hand_over(sent, now)
        self._start_encodings(now)

    def _start_encodings(self, now: Instant) -> None:
        while self._waiting and len(self._encoding) < ENCODINGS_UNDER_WAY:
            job = self._waiting[0]
            plan = job.plan
            if isinstance(plan.content, bytes):
                self._waiting.popleft()
                self._send_parts(job, 1, cut_bytes(plan.content), now)
                self._finish(job.group)
                continue
            number = self._encoder.submit(
                EncodeJob(plan.codec, plan.content, plan.maximum_error, plan.part_lines, plan.tile),
                now,
            )
            if number is None:
                return
            self._waiting.popleft()
            self._encoding[number] = job

    def _send_parts(
        self,
        job: _Job,
        version: int,
        parts: tuple[tuple[tuple[int, ...], bytes], ...],
        now: Instant,
    ) -> None:
        self.products_made += 1
        for index, payload in enumerate(_payloads(job, version, parts, self._config_digest)):
            self.bytes_made += len(payload)
            if job.group is not None:
                self._outstanding[job.group] += 1
            name = (job.about.taken.dtn_ms, bundle_sequence(job.about.id, index))
            self._hand_over(_Sent(job.group, payload, job.plan.kind.priority, name), now)

    def _hand_over(self, sent: _Sent, now: Instant) -> None:
        self._unstored[self._send(sent.payload, sent.priority, sent.name, now)] = sent

    def _finish(self, group: int | None) -> None:
        """Count down a group; tell when nothing of it is outstanding."""
        if group is None:
            return
        self._outstanding[group] -= 1
        if not self._outstanding[group]:
            del self._outstanding[group]
            self._done(group)


def _about(job: _Job, plan: Plan) -> About:
    """Return what the header of one of a job's products says: its number goes by its slot."""
    number = job.about.id.number - job.plan.slot + plan.slot
    return replace(job.about, id=replace(job.about.id, number=number))


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
