"""The payload: from frames to decisions to products, one step a frame.

    frame -> model worker: prepare, invoke, conclude -> decide -> journal (durable) -> products

Frames come in sealed memory and go on to the workers as they are: nothing here reads a sample.

What a step was given is in the journal before anything of it is sent, and a step is forgotten
only when its products are in the store. A restart takes up every step in between, so a decision
is made once and its products have the same numbers however often power fails.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from flight.autonomy.decide import DecisionPolicy, decide
from flight.autonomy.downlink import PRODUCTS_A_STEP
from flight.autonomy.second_look import Earlier, beneath
from flight.autonomy.tasks import Policy, conclude, keep
from flight.board.archive import FrameArchive
from flight.board.jobs import Answer, InferJob
from flight.board.recorder import Recorded, Recorder
from flight.board.sealedvalues import SealedFrame, SealedOutputs, seal_outputs
from flight.board.sensorhost import Feed
from flight.companions import Companions
from flight.instant import Instant
from flight.outbox import Outbox
from flight.product.events import Event, Happening
from flight.product.journal import enter, step_of
from flight.product.values import Finding, Kind, NoAnswer
from flight.products import Products, Seen

MAX_FRAMES_WAITING = 4
"""Frames read and not yet decided. Sensors are not polled beyond it; folders wait, a sensor that
cannot wait drops frames and says so."""


class Asker(Protocol):
    """Answers with a model's outputs and findings: the supervisor's inference lane."""

    def submit(self, job: InferJob, now: Instant) -> int | None:
        """Start one inference; the number comes back with the answer. None: no room now."""
        ...


@dataclass(frozen=True, slots=True)
class Instrument:
    """A sensor with what its frames are for."""

    sensor: Feed
    task: str
    model: str
    """Empty where none is to be used, or none can be."""
    model_digest: bytes
    policy: Policy | None
    """None where there is no model and the task cannot do without: no frame gets an answer."""
    after: str = ""
    """The sensor that looked before; empty: none did."""


class Payload:
    """Everything between sensors and outbox."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        boot: int,
        decisions: DecisionPolicy,
        asker: Asker,
        outbox: Outbox,
        products: Products,
        recorder: Recorder,
        archive: FrameArchive,
        companions: Companions,
        room_bytes: Callable[[Instant], int],
    ) -> None:
        self._instruments: Mapping[str, Instrument] = {i.sensor.name: i for i in instruments}
        self._boot = boot
        self._decisions = decisions
        self._asker = asker
        self._outbox = outbox
        self._products = products
        self._recorder = recorder
        self._archive = archive
        self._companions = companions
        self._room_bytes = room_bytes
        self._events: list[Happening] = []
        self._frames: deque[SealedFrame] = deque()
        self._asked: dict[int, tuple[SealedFrame, SealedFrame | None]] = {}
        self._recording: deque[tuple[Recorded, Seen]] = deque()
        self._looks: dict[str, Earlier] = {}
        """By sensor, what its last frame told that the next one after it may need."""
        self._waits_until_ns: int | None = None
        """Until when the first of the frames waits for its companion's."""
        self.steps_made = 0

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """The instruments by their sensor's name."""
        return self._instruments

    @property
    def sensors(self) -> tuple[Feed, ...]:
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
            if frame is not None and frame.stamp != step.frame:
                frame = None
            if frame is None:
                self._events.append(Event.FRAME_LOST(sensor=step.sensor, frame=step.frame_number))
            beside = self._companions.name_beside(step.sensor)
            companion = self._archive.get(beside, step.frame_number) if beside else None
            outputs = seal_outputs(recorded.outputs) if recorded.outputs else None
            self._make(recorded, Seen(frame, companion, outputs), now)
        return len(undone)

    def take_events(self) -> tuple[Happening, ...]:
        """Return, and forget, what happened since the last call."""
        events, self._events = (*self._events, *self._archive.take_events()), []
        return events

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
                if isinstance(delivery, SealedFrame):
                    self._frames.append(delivery)
                else:
                    self._events.append(delivery)
        if self.has_room:
            self._events += self._companions.poll(now)
        while self._frames and not self._asked:
            self._waits_until_ns = self._companions.wait_ns(self._frames[0].frame, now)
            if self._waits_until_ns is not None:
                break
            self._begin(self._frames.popleft(), now)

    def take(self, answer: Answer, now: Instant) -> None:
        """Conclude and decide about the frame that the worker was asked about."""
        taken = self._asked.pop(answer.job, None)
        if taken is None:
            return
        sealed, companion = taken
        frame = sealed.frame
        if not answer.companion_fits:
            beside = self._companions.name_beside(frame.sensor)
            self._events.append(
                Event.COMPANION_UNUSABLE(sensor=frame.sensor, frame=frame.number, companion=beside)
            )
        if answer.inference is None:
            no_answer = answer.no_answer or NoAnswer.WORKER_DIED
            self._step_without(sealed, companion, no_answer, now)
        else:
            said = answer.inference
            task = self._instruments[sealed.frame.sensor].task
            look = keep(task, sealed.frame, said.outputs.arrays, said.findings)
            if look is not None:
                self._looks[sealed.frame.sensor] = look
            self._step(sealed, companion, said.outputs, said.findings, 0, now)

    def recorded(self, now: Instant) -> None:
        """Make the products of the steps whose journal entries are durable by now.

        Raises:
            OSError: the disk refused the journal.
        """
        self._recorder.take_durable()
        while self._recording and self._recorder.is_durable(self._recording[0][0]):
            recorded, seen = self._recording.popleft()
            self._make(recorded, seen, now)

    def _begin(self, sealed: SealedFrame, now: Instant) -> None:
        frame = sealed.frame
        companion = self._companions.take(frame)
        beside = self._companions.name_beside(frame.sensor)
        self._archive.put(sealed)
        if companion is not None:
            self._archive.put(companion)
        elif beside:
            self._events.append(
                Event.COMPANION_MISSING(sensor=frame.sensor, frame=frame.number, companion=beside)
            )
        instrument = self._instruments[frame.sensor]
        policy = instrument.policy
        if policy is None:
            self._step_without(sealed, companion, NoAnswer.MODEL_REFUSED, now)
            return
        look = self._looks.pop(instrument.after, None)
        before = None if look is None else beneath(look, frame)
        question = InferJob(instrument.model, instrument.task, policy, sealed, companion, before)
        job = self._asker.submit(question, now)
        if job is None:
            self._step_without(sealed, companion, NoAnswer.LATE, now)
        else:
            self._asked[job] = sealed, companion

    def _step_without(
        self, sealed: SealedFrame, companion: SealedFrame | None, no_answer: int, now: Instant
    ) -> None:
        """Make the step of a frame that no worker concluded about."""
        instrument = self._instruments[sealed.frame.sensor]
        if instrument.policy is not None and not instrument.model:
            no_answer = 0  # nobody was to be asked, so nobody failed to answer
        findings = conclude(sealed.frame, (), no_answer, instrument.policy)
        self._step(sealed, companion, None, findings, no_answer, now)

    def _step(  # noqa: PLR0917
        self,
        sealed: SealedFrame,
        companion: SealedFrame | None,
        outputs: SealedOutputs | None,
        findings: tuple[Finding, ...],
        no_answer: int,
        now: Instant,
    ) -> None:
        """Decide, and write what was concluded and decided into the journal."""
        frame = sealed.frame
        instrument = self._instruments[frame.sensor]
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
            sealed.stamp,
            () if outputs is None else outputs.stamps,
            number=past.next_step,
            boot=self._boot,
            now=now,
            task=instrument.task,
            model_digest=instrument.model_digest,
            no_answer=no_answer,
            room_bytes=room_bytes,
            first_product=self._products.next_product(PRODUCTS_A_STEP).number,
        )
        arrays = () if outputs is None else outputs.arrays
        recorded = Recorded(enter(past.digest, step, decision), arrays)
        self._recorder.append(recorded, memory)
        self._recording.append((recorded, Seen(sealed, companion, outputs)))
        self.steps_made += 1

    def _make(self, recorded: Recorded, seen: Seen, now: Instant) -> None:
        # A sensor that an earlier configuration had: its decision still goes home.
        instrument = self._instruments.get(recorded.entry.step.sensor)
        task, policy = ("", None) if instrument is None else (instrument.task, instrument.policy)
        self._products.make(recorded, seen, task, policy, now)
