"""An array product with all that is known of its frame: what a picture of it needs."""

from dataclasses import dataclass

import numpy as np

from flight.autonomy.downlink import allowed_error
from flight.autonomy.terrain import PLANES
from flight.product.codecs import Decoded
from flight.product.errors import WireError
from flight.product.journal import JournalEntry
from flight.product.part import Header, ProductKind
from flight.product.values import Finding, Kind, SensorKind
from ground.console import clean
from ground.library import Library
from ground.pictures.values import Grey, Mask, Site, View, Words
from ground.times import utc

SUREST_STEPS = 96
"""A raw output so far above the least hazardous cell's is drawn at full strength."""
FAINTEST = 0.15
BRIGHTNESS_PM = 1_500_000
"""A cube's brightness is drawn at the band nearest to this: no mineral of ours absorbs there."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What is to be drawn, and what is known of its frame."""

    library: Library
    header: Header
    array: Decoded
    entry: JournalEntry | None

    def words(self, what: str) -> Words:
        """Return what stands above the picture."""
        header = self.header
        said = [utc(header.taken.dtn_ms), f"product {header.id}"]
        if header.model_digest:
            said.append(f"model {header.model_digest.hex()}")
        if not self.array.complete:
            said.append(f"{100 * self.array.present.mean():.0f} % received")
        title = f"{what}, {clean(header.sensor, 32)} frame {header.frame_number}"
        return Words(title, "  ·  ".join(said))

    def findings(self, kind: Kind) -> tuple[Finding, ...]:
        """Return the frame's findings of one kind."""
        found = self.entry.decision.findings if self.entry else ()
        return tuple(finding for finding in found if finding.kind is kind)

    @property
    def axis(self) -> tuple[int, ...]:
        """The frame's axis; () where its entry has not arrived."""
        return self.entry.step.axis if self.entry else ()

    @property
    def site(self) -> Site | None:
        """The chosen site."""
        sites = self.findings(Kind.SAFE_SITE)
        return Site(sites[0].row, sites[0].column, sites[0].extent) if sites else None

    def of_kind(self, kind: SensorKind) -> bool:
        """Whether the frame is known to be of a sensor of this kind."""
        return self.entry is not None and self.entry.step.kind is kind

    @property
    def metres_per_pixel(self) -> float | None:
        """The frame's scale where it is known."""
        camera = self.of_kind(SensorKind.CAMERA)
        return self.axis[0] / 1e6 if camera and self.axis and self.axis[0] > 0 else None

    @property
    def exactness(self) -> str:
        """How far a whole frame may be from what the sensor gave, in words."""
        error = allowed_error(self.entry, self.header.id) if self.entry else 0
        return f" within {error} counts" if error else ""

    def companion(self, kind: ProductKind) -> Decoded | None:
        """Return the array of another product of the same frame, where it is to be had."""
        row = self.library.of_frame(self.header, kind)
        if row is None:
            return None
        try:
            return self.library.read(row.header.id).array
        except WireError:
            return None

    def hazard_strength(self, hazard: Mask) -> Grey:
        """Return how strongly to draw each cell, 0 to 1, by how sure the model was of a hazard.

        1 everywhere where its raw output has not arrived.
        """
        outputs = self.companion(ProductKind.OUTPUTS)
        fits = outputs is not None and outputs.samples.shape == (1, *hazard.shape, PLANES)
        if outputs is None or not fits or not outputs.complete or not hazard.any():
            return np.ones(hazard.shape, np.float32)
        logits = outputs.samples[0, :, :, 0].astype(np.float32)
        above: Grey = np.clip((logits - logits[hazard].min()) / np.float32(SUREST_STEPS), 0, 1)
        strength: Grey = FAINTEST + (1 - FAINTEST) * above
        return strength

    def view(self, array: Decoded) -> View:
        """Return a camera picture, however coarse, in the frame's own pixels."""
        scale = 1
        pictured = (SensorKind.CAMERA, SensorKind.SAMPLE)
        if self.entry is not None and self.entry.step.kind in pictured:
            scale = max(1, max(self.entry.step.frame.shape) // max(array.samples.shape))
        return View(array.samples, array.present, scale=scale)

    def brightness(self, cube: Decoded) -> View:
        """Return a cube at the band where only brightness tells."""
        band = cube.samples.shape[0] // 2
        if len(self.axis) == cube.samples.shape[0]:
            band = min(range(len(self.axis)), key=lambda i: abs(self.axis[i] - BRIGHTNESS_PM))
        return View(cube.samples[band], cube.present[band])
