"""From a durable step, or a frame that the ground asks for, to products in the outbox."""

from dataclasses import dataclass

from flight.autonomy.downlink import plan_products, whole_frame
from flight.autonomy.plan import Slot
from flight.autonomy.tasks import Policy
from flight.board.archive import FrameArchive
from flight.board.jobs import Material
from flight.board.recorder import Recorded
from flight.board.sealedvalues import SealedFrame, SealedOutputs
from flight.instant import Instant
from flight.outbox import About, Outbox
from flight.product.part import DIGEST_PREFIX_BYTES, ProductId


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one step's products are made from, as far as it is there."""

    frame: SealedFrame | None
    companion: SealedFrame | None
    """What the sensor beside the frame's own saw at that moment."""
    outputs: SealedOutputs | None


class Products:
    """Numbers products, and names what the encoding worker makes them from."""

    def __init__(self, outbox: Outbox, archive: FrameArchive, *, node: int, boot: int) -> None:
        self._outbox = outbox
        self._archive = archive
        self._node = node
        self._boot = boot
        self._next = 0

    def next_product(self, count: int = 1) -> ProductId:
        """Set ``count`` product numbers of this boot aside; return the first."""
        number, self._next = self._next, self._next + count
        return ProductId(self._node, self._boot, number)

    def make(
        self, recorded: Recorded, seen: Seen, task: str, policy: Policy | None, now: Instant
    ) -> None:
        """Hand over the products of one step."""
        step = recorded.entry.step
        plans = plan_products(
            recorded.entry,
            None if seen.frame is None else seen.frame.frame,
            recorded.outputs,
            policy,
            None if seen.companion is None else seen.companion.frame,
        )
        for plan in plans:
            about = About(
                ProductId(self._node, step.boot, step.first_product + plan.slot),
                step.sensor,
                step.frame_number,
                step.taken,
                step.model_digest[:DIGEST_PREFIX_BYTES],
            )
            pixels = seen.companion if plan.slot == Slot.RANGE else seen.frame
            made = Material(pixels, seen.outputs, task, policy)
            self._outbox.add(plan, about, now, material=made, group=step.number)

    def fetch(self, sensor: str, number: int) -> None:
        """Have a frame read that the ground asked for; send_fetched sends it."""
        self._archive.fetch(sensor, number)

    def send_fetched(self, now: Instant) -> tuple[bool, ...]:
        """Send whole the frames that were read; return for each whether it was still aboard."""
        found = self._archive.take_fetched()
        for sealed in found:
            if sealed is not None:
                frame = sealed.frame
                about = About(self.next_product(), frame.sensor, frame.number, frame.taken, b"")
                self._outbox.add(whole_frame(frame), about, now, material=Material(sealed))
        return tuple(sealed is not None for sealed in found)
