"""The payload: from frames to decisions to products, one step a frame.

    frame -> prepare -> model worker -> conclude -> decide -> journal (durable) -> products

What a step was given is in the journal before anything of it is sent, and a step is forgotten
only when its products are in the store. A restart takes up every step in between, so a decision
is made once and its products have the same numbers however often power fails.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from flight.autonomy.decide import DecisionPolicy, decide
from flight.autonomy.downlink import PRODUCTS_A_STEP, plan_products, whole_frame
from flight.autonomy.tasks import Policy, accompany, conclude, prepare
from flight.board.archive import FrameArchive
from flight.board.jobs import Answer, InferJob
from flight.board.recorder import Recorded, Recorder
from flight.board.sensors.sensor import Sensor
from flight.companions import Companions
from flight.instant import Instant
from flight.outbox import About, Outbox
from flight.product.events import Event, Happening
from flight.product.journal import enter, stamp, step_of
from flight.product.part import DIGEST_PREFIX_BYTES, ProductId
from flight.product.values import Frame, Kind, NoAnswer, Tensor

MAX_FRAMES_WAITING = 4
"""Frames read and not yet decided. Sensors are not polled beyond it; folders wait, a sensor that
cannot wait drops frames and says so."""


class Asker(Protocol):
    """Answers with raw model outputs: the supervisor's inference lane."""

    def submit(self, job: InferJob, now: Instant) -> int | None:
        """Start one inference; the number comes back with the answer. None: no room now."""
        ...


@dataclass(frozen=True, slots=True)
class Instrument:
    """A sensor with what its frames are for."""

    sensor: Sensor
    task: str
    model: str
    """Empty where none is to be used, or none can be."""
    model_digest: bytes
    policy: Policy | None
    """None where there is no model and the task cannot do without: no frame gets an answer."""


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    """A frame, and what the sensor beside its own saw at that moment."""

    frame: Frame
    companion: Frame | None
    aside: tuple[Tensor, ...]
    """What the companion's frame says, to stand beside the model's outputs."""


class Payload:
    """Everything between sensors and outbox."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        node: int,
        boot: int,
        decisions: DecisionPolicy,
        asker: Asker,
        outbox: Outbox,
        recorder: Recorder,
        archive: FrameArchive,
        companions: Companions,
        room_bytes: Callable[[Instant], int],
    ) -> None:
        self._instruments: Mapping[str, Instrument] = {i.sensor.name: i for i in instruments}
        self._node = node
        self._boot = boot
        self._decisions = decisions
        self._asker = asker
        self._outbox = outbox
        self._recorder = recorder
        self._archive = archive
        self._companions = companions
        self._room_bytes = room_bytes
        self._events: list[Happening] = []
        self._frames: deque[Frame] = deque()
        self._asked: dict[int, _Taken] = {}
        self._recording: deque[tuple[Recorded, _Taken]] = deque()
        self._waits_until_ns: int | None = None
        """Until when the first of the frames waits for its companion's."""
        self._next_product = 0
        self.steps_made = 0

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """The instruments by their sensor's name."""
        return self._instruments

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """All sensors, those that go with others among them."""
        return (*(i.sensor for i in self._instruments.values()), *self._companions.sensors)

    @property
    def has_room(self) -> bool:
        """Whether another frame may be read."""
        waiting = len(self._frames) + len(self._asked) + len(self._recording)
        return waiting < MAX_FRAMES_WAITING and self._outbox.room

    @property
    def idle(self) -> bool:
        """Whether every sensor has finished and everything of every frame is in the store."""
        finished = all(i.sensor.finished for i in self._instruments.values())
        busy = self._frames or self._asked or self._recording or self._recorder.past.undone
        return finished and not busy and self._outbox.idle

    def take_up(self, now: Instant) -> int:
        """Make again the products of steps that an earlier life left undone; return how many."""
        undone = list(self._recorder.past.undone.values())
        for recorded in undone:
            step = recorded.entry.step
            frame = self._archive.get(step.sensor, step.frame_number)
            if frame is not None and stamp(frame.samples) != step.frame:
                frame = None
            if frame is None:
                self._events.append(Event.FRAME_LOST(sensor=step.sensor, frame=step.frame_number))
            beside = self._companions.name_beside(step.sensor)
            companion = self._archive.get(beside, step.frame_number) if beside else None
            self._make_products(recorded, frame, companion, now)
        return len(undone)

    def take_events(self) -> tuple[Happening, ...]:
        """Return, and forget, what happened since the last call."""
        events, self._events = tuple(self._events), []
        return events

    def next_product(self, count: int = 1) -> ProductId:
        """Set ``count`` product numbers of this boot aside; return the first."""
        number, self._next_product = self._next_product, self._next_product + count
        return ProductId(self._node, self._boot, number)

    def next_deadline_ns(self) -> int | None:
        """Return when a sensor wants to be polled, or a frame has waited long enough."""
        due = [sensor.next_deadline_ns() for sensor in self.sensors] if self.has_room else []
        if self._frames and not self._asked:
            due.append(self._waits_until_ns)
        return min((d for d in due if d is not None), default=None)

    def poll(self, now: Instant) -> None:
        """Read what the sensors have, and ask the model about the next frame."""
        for instrument in self._instruments.values():
            if not self.has_room:
                break
            for delivery in instrument.sensor.poll(now):
                if isinstance(delivery, Frame):
                    self._frames.append(delivery)
                else:
                    self._events.append(delivery)
        if self.has_room:
            self._events += self._companions.poll(now)
        while self._frames and not self._asked:
            self._waits_until_ns = self._companions.wait_ns(self._frames[0], now)
            if self._waits_until_ns is not None:
                break
            self._begin(self._frames.popleft(), now)

    def take(self, answer: Answer, now: Instant) -> None:
        """Conclude and decide about the frame that the worker was asked about."""
        taken = self._asked.pop(answer.job, None)
        if taken is None:
            return
        outputs = () if answer.inference is None else (*answer.inference.outputs, *taken.aside)
        self._step(taken, outputs, 0 if answer.no_answer is None else answer.no_answer, now)

    def recorded(self, now: Instant) -> None:
        """Make the products of the steps whose journal entries are durable by now.

        Raises:
            OSError: the disk refused the journal.
        """
        self._recorder.take_durable()
        while self._recording and self._recorder.is_durable(self._recording[0][0]):
            recorded, taken = self._recording.popleft()
            self._make_products(recorded, taken.frame, taken.companion, now)

    def send_frame(self, sensor: str, number: int, now: Instant) -> str:
        """Send a whole frame because the ground asked; return what is wrong, or nothing."""
        frame = self._archive.get(sensor, number)
        if frame is None:
            return f"{sensor} frame {number} is not kept aboard"
        about = About(self.next_product(), sensor, number, frame.taken, b"")
        self._outbox.add(whole_frame(frame), about, now)
        return ""

    def _begin(self, frame: Frame, now: Instant) -> None:
        taken = self._with_companion(frame)
        self._keep(frame)
        if taken.companion is not None:
            self._keep(taken.companion)
        instrument = self._instruments[frame.sensor]
        if not instrument.model:
            # A task that can do without has a policy all the same.
            reason = NoAnswer.MODEL_REFUSED if instrument.policy is None else 0
            self._step(taken, (), reason, now)
            return
        tensor = prepare(instrument.task, frame)
        if tensor is None:
            self._step(taken, (), NoAnswer.BAD_FRAME, now)
            return
        job = self._asker.submit(InferJob(instrument.model, tensor), now)
        if job is None:
            self._step(taken, (), NoAnswer.LATE, now)
        else:
            self._asked[job] = taken

    def _with_companion(self, frame: Frame) -> _Taken:
        """Return a frame with its companion's, and the events of one that is missing or unfit."""
        beside = self._companions.name_beside(frame.sensor)
        companion = self._companions.take(frame)
        if companion is None:
            if beside:
                self._events.append(
                    Event.COMPANION_MISSING(
                        sensor=frame.sensor, frame=frame.number, companion=beside
                    )
                )
            return _Taken(frame, None, ())
        word = accompany(self._instruments[frame.sensor].task, frame, companion)
        if word is None:
            self._events.append(
                Event.COMPANION_UNUSABLE(sensor=frame.sensor, frame=frame.number, companion=beside)
            )
            return _Taken(frame, companion, ())
        return _Taken(frame, companion, (word,))

    def _keep(self, frame: Frame) -> None:
        try:
            evicted = self._archive.put(frame)
            if evicted:
                self._events.append(Event.ARCHIVE_EVICTED(frames=evicted))
        except OSError as error:
            self._events.append(Event.STORE_FAILED(what=f"frame archive: {error.strerror}"))

    def _step(
        self, taken: _Taken, outputs: tuple[Tensor, ...], no_answer: int, now: Instant
    ) -> None:
        """Conclude, decide, and write both into the journal."""
        frame = taken.frame
        instrument = self._instruments[frame.sensor]
        findings = conclude(frame, outputs, no_answer, instrument.policy)
        for finding in findings:
            if finding.kind is Kind.NO_ANSWER:
                reason = NoAnswer(finding.label).name.lower()
                self._events.append(
                    Event.NO_ANSWER(sensor=frame.sensor, frame=frame.number, reason=reason)
                )
        past = self._recorder.past
        room_bytes = self._room_bytes(now)
        memory, decision = decide(
            past.memory,
            self._decisions,
            sensor=frame.sensor,
            frame_number=frame.number,
            findings=findings,
            frame_bytes=frame.samples.nbytes,
            room_bytes=room_bytes,
        )
        step = step_of(
            frame,
            outputs,
            number=past.next_step,
            boot=self._boot,
            now=now,
            task=instrument.task,
            model_digest=instrument.model_digest,
            no_answer=no_answer,
            room_bytes=room_bytes,
            first_product=self.next_product(PRODUCTS_A_STEP).number,
        )
        recorded = Recorded(enter(past.digest, step, decision), outputs)
        self._recorder.append(recorded, memory)
        self._recording.append((recorded, taken))
        self.steps_made += 1

    def _make_products(
        self, recorded: Recorded, frame: Frame | None, companion: Frame | None, now: Instant
    ) -> None:
        step = recorded.entry.step
        instrument = self._instruments.get(step.sensor)
        # A sensor that an earlier configuration had: its decision still goes home.
        policy = None if instrument is None else instrument.policy
        for plan in plan_products(recorded.entry, frame, recorded.outputs, policy, companion):
            about = About(
                ProductId(self._node, step.boot, step.first_product + plan.slot),
                step.sensor,
                step.frame_number,
                step.taken,
                step.model_digest[:DIGEST_PREFIX_BYTES],
            )
            self._outbox.add(plan, about, now, group=step.number)
