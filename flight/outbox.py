"""From product plans to bundles: encode in a lane of its own, send, and know when all is stored.

Nothing here decides, and nothing here touches an array: the encoding worker makes it from what
the plan names. The parts of a large product go into the store a few a turn. A step counts as done
when every part of every product of it is in the store; until then the journal keeps what is
needed to make the same products again.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from flight.autonomy.downlink import shares
from flight.autonomy.plan import Plan
from flight.board.jobs import Answer, EncodeJob, Material, Packed
from flight.instant import Instant
from flight.product.codecs import CODECS
from flight.product.events import Event, Happening
from flight.product.names import bundle_sequence
from flight.product.part import CODEC_BYTES, Header, Part, ProductId, cut_bytes

MAX_PLANS_WAITING = 256
"""Products waiting to be encoded; a payload makes no new step while there are as many."""
ENCODINGS_UNDER_WAY = 2
SLICE_BYTES = 96 << 10
"""Packed parts handed to the store in one turn; one more may go beyond it."""
NOTHING = Material()
"""What a record is made from."""
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
    material: Material
    attempts: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class _Sending:
    """A packed product on its way into the store."""

    job: _Job
    parts: Iterator[tuple[int, bytes]]
    """Index and payload of each."""
    size_bytes: int


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
        self._sending: deque[_Sending] = deque()
        self._slice_at: Instant | None = None
        self._slice_left = 0
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
        under_way = self._waiting or self._encoding or self._sending
        return not (under_way or self._unstored or self._refused)

    @property
    def waiting_bytes(self) -> int:
        """Size of what is not in the store: of arrays before packing, of parts after."""
        raw = sum(job.plan.raw_bytes for job in (*self._waiting, *self._encoding.values()))
        return raw + sum(sending.size_bytes for sending in self._sending)

    def next_deadline_ns(self) -> int | None:
        """Return when to go on sending, or to offer the store again what it had no room for."""
        return 0 if self._sending else self._retry_ns

    def add(
        self,
        plan: Plan,
        about: About,
        now: Instant,
        *,
        material: Material = NOTHING,
        group: int | None = None,
    ) -> None:
        """Take one product; ``group`` is the step whose completion it counts towards."""
        if group is not None:
            self._outstanding[group] = self._outstanding.get(group, 0) + 1
        self._waiting.append(_Job(group, plan, about, material))
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
            self._packed(job, answer.parts, now)
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
        """Go on sending; offer the store again what it had no room for; start encodings."""
        self._send_slice(now)
        if self._retry_ns is not None and self._retry_ns <= now.mono_ns:
            again, self._refused, self._retry_ns = self._refused, [], None
            for sent in again:
                self._hand_over(sent, now)
        self._start_encodings(now)

    def _start_encodings(self, now: Instant) -> None:
        while self._waiting and len(self._encoding) < ENCODINGS_UNDER_WAY:
            job = self._waiting[0]
            plan = job.plan
            if plan.codec == CODEC_BYTES:
                self._waiting.popleft()
                for index, payload in _payloads(
                    job, 1, cut_bytes(plan.record), self._config_digest
                ):
                    self._send_part(job, index, payload, now)
                self._close(job)
                continue
            number = self._encoder.submit(EncodeJob(plan, job.material), now)
            if number is None:
                return
            self._waiting.popleft()
            self._encoding[number] = job

    def _packed(self, job: _Job, parts: tuple[Packed, ...], now: Instant) -> None:
        """Queue the products that a job's parts make."""
        version = CODECS[job.plan.codec].version
        made = shares(job.plan, parts)
        if job.group is not None:
            self._outstanding[job.group] += len(made) - 1
        for plan, own in made:
            share = replace(job, plan=plan, about=_about(job, plan), material=NOTHING)
            cut = tuple((part.geometry, part.data) for part in own)
            payloads = _payloads(share, version, cut, self._config_digest)
            size = sum(len(part.data) for part in own)
            self._sending.append(_Sending(share, payloads, size))
        self._send_slice(now)

    def _send_slice(self, now: Instant) -> None:
        """Send some parts, not more than SLICE_BYTES in one turn."""
        if now != self._slice_at:
            self._slice_at, self._slice_left = now, SLICE_BYTES
        while self._sending and self._slice_left > 0:
            sending = self._sending[0]
            index, payload = next(sending.parts, (0, b""))
            if payload:
                self._slice_left -= len(payload)
                self._send_part(sending.job, index, payload, now)
            else:
                self._sending.popleft()
                self._close(sending.job)

    def _send_part(self, job: _Job, index: int, payload: bytes, now: Instant) -> None:
        self.bytes_made += len(payload)
        if job.group is not None:
            self._outstanding[job.group] += 1
        name = (job.about.taken.dtn_ms, bundle_sequence(job.about.id, index))
        self._hand_over(_Sent(job.group, payload, job.plan.kind.priority, name), now)

    def _close(self, job: _Job) -> None:
        """Note that all parts of a product were handed over."""
        self.products_made += 1
        self._finish(job.group)

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
    job: _Job,
    version: int,
    parts: tuple[tuple[tuple[int, ...], bytes | memoryview], ...],
    config_digest: bytes,
) -> Iterator[tuple[int, bytes]]:
    """Yield the index and the payload of each part, made when it is asked for."""
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
        yield index, Part(header, index, geometry, bytes(data)).encode()
