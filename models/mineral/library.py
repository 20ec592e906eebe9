"""The measured spectra, what each is made of, and which were made from the same rock.

RELAB spectra (doi:10.17189/1519032) as Korda et al. (2023) prepared them. Two traps: the
library codes pigeonite and other low-calcium clinopyroxene as CPX, so the split between low-Ca
and high-Ca pyroxene is made here from the wollastonite content; and one rock often gave a dozen
rows (grain sizes, mixtures), so every split keeps whole parent specimens together.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CLASSES = ("low-ca-pyroxene", "high-ca-pyroxene", "olivine", "plagioclase", "other")
"""In the order of the logits."""

PIGEONITE_LIMIT = 0.20
"""Wollastonite content at and below which a clinopyroxene is low-calcium (Morimoto 1988)."""

DOMINANT_SHARE = 0.75
"""A mineral with at least this share of the silicates gives a spectrum its class; otherwise the
spectrum is of a mixture. The two pyroxenes count together and the larger gives its name: their
bands merge into those of one pyroxene of intermediate calcium, and grains on the Moon are zoned
from one into the other."""

TRAINING_SOURCES = ("Earth", "Synthetic", "Other-Met")
RETURNED = "Moon-Ret"
MARTIAN = "Mars-Met"


@dataclass(frozen=True)
class Library:
    """Measured spectra with what is known of them."""

    wavelength_nm: NDArray[np.float64]
    """(bands,)"""
    reflectance: NDArray[np.float64]
    """(spectra, bands)"""
    shares: NDArray[np.float64]
    """(spectra, 4) volume shares of the first four classes, adding up to 1."""
    source: NDArray[np.str_]
    name: NDArray[np.str_]
    specimen: NDArray[np.int64]
    """(spectra,) number of the parent specimen: equal for all that came from one rock."""

    def __len__(self) -> int:
        return len(self.reflectance)

    @property
    def label(self) -> NDArray[np.int64]:
        """(spectra,) class number."""
        dominant = self.dominance >= DOMINANT_SHARE
        return np.where(dominant, _largest(self.shares), CLASSES.index("other"))

    @property
    def dominance(self) -> NDArray[np.float64]:
        """(spectra,) share of the mineral that a spectrum is named after."""
        return dominance_of(self.shares)

    def where(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> "Library":
        """Return the chosen rows."""
        return Library(
            self.wavelength_nm, self.reflectance[keep], self.shares[keep],
            self.source[keep], self.name[keep], self.specimen[keep],
        )  # fmt: skip

    def thinned(self, step: int) -> "Library":
        """Return every ``step``-th band: 10 nm shows all that a mineral's bands have to show."""
        return replace(
            self,
            wavelength_nm=self.wavelength_nm[::step],
            reflectance=self.reflectance[:, ::step],
        )

    def training(self) -> "Library":
        """Return what a model may learn from: nothing that came back from the Moon or Mars."""
        return self.where(np.isin(self.source, TRAINING_SOURCES))


def dominance_of(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (spectra,) share of the largest mineral, both pyroxenes counting as one."""
    return np.max([shares[:, 0] + shares[:, 1], shares[:, 2], shares[:, 3]], axis=0)


def _largest(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return (spectra,) class number of the largest mineral."""
    pyroxene = shares[:, 0] + shares[:, 1]
    high = shares[:, 1] > shares[:, 0]
    rest = np.where(shares[:, 2] >= shares[:, 3], 2, 3)
    return np.where(pyroxene >= shares[:, 2:].max(axis=1), high.astype(np.int64), rest)


def find_data(given: Path | None) -> Path:
    """Return the folder of real data: the one given, or the one that lies beside the checkout.

    Raises:
        FileNotFoundError: there is none; the message says what to do.
    """
    folder = given or Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (folder / "spectra" / "relab_minerals.npz").is_file():
        raise FileNotFoundError(f"no spectra/relab_minerals.npz in {folder}; name it with --data")
    return folder


def read_library(data: Path) -> Library:
    """Return all spectra in ``relab_minerals.npz``."""
    with np.load(data / "spectra" / "relab_minerals.npz", allow_pickle=False) as stored:
        labels = np.nan_to_num(stored["label"]).astype(np.float64)
        columns = {
            str(name): np.char.strip(stored["metadata"][:, index])
            for index, name in enumerate(stored["metadata_name"])
        }
        return Library(
            wavelength_nm=stored["wavelength_nm"].astype(np.float64),
            reflectance=stored["reflectance"].astype(np.float64),
            shares=shares_of(labels),
            source=columns["Source"],
            name=columns["SampleName"],
            specimen=specimens(columns["SampleID"], columns["SampleName"]),
        )


def shares_of(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (spectra, 4) shares by class from the library's 15 label columns."""
    olivine, orthopyroxene, clinopyroxene, plagioclase = labels[:, :4].T
    analysed = labels[:, 9:12].sum(axis=1) > 0
    pigeonite = analysed & (labels[:, 11].round(3) <= PIGEONITE_LIMIT)
    low = orthopyroxene + np.where(pigeonite, clinopyroxene, 0)
    high = np.where(pigeonite, 0, clinopyroxene)
    return np.stack([low, high, olivine, plagioclase], axis=1)


def specimens(identity: NDArray[np.str_], name: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return a number for each row, equal where rows share a parent rock.

    Rows are joined when they share the first three parts of a sample number, a laboratory's
    endmember code (PYX042 and its mixtures), an Apollo sample number, or a name apart from grain
    size and percentages.
    """
    keys = [_keys(str(i), str(n)) for i, n in zip(identity, name, strict=True)]
    leader: dict[str, str] = {}

    def lead(key: str) -> str:
        while leader.setdefault(key, key) != key:
            key = leader[key]
        return key

    for row in keys:
        for key in row[1:]:
            leader[lead(key)] = lead(row[0])
    leaders = [lead(row[0]) for row in keys]
    number = {key: index for index, key in enumerate(dict.fromkeys(leaders))}
    return np.array([number[key] for key in leaders])


def _keys(identity: str, name: str) -> list[str]:
    """Return all that a row may share with another of the same rock."""
    keys = ["id " + "-".join(identity.split("-")[:3])]
    keys += re.findall(r"\b(?:PYX|OLV|PLG)\d{3}\b", name.upper())
    keys += ["apollo " + number for number in re.findall(r"^(\d{5})\b", name)]
    plain = re.sub(r"\(.*?\)", "", name.lower())
    plain = re.sub(r"[<>]?\s*\d+[\d.\-]*\s*(um|mm|%)", "", plain)
    plain = " ".join(re.sub(r"[^a-z0-9 ]", " ", plain).split())
    return [*keys, "name " + plain] if len(plain) > 3 else keys
