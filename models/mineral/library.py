"""The measured spectra, what each is made of, and which were made from the same rock.

RELAB spectra (doi:10.17189/1519032) as Korda et al. (2023) prepared them. Two traps: the
library codes pigeonite and other low-calcium clinopyroxene as CPX, so low-Ca and high-Ca pyroxene
are told apart here by wollastonite content; and one rock often gave a dozen
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
"""Mean wollastonite content at and below which pyroxene is low-calcium (Morimoto 1988)."""

MINERALS = ("pyroxene", "olivine", "plagioclase")
"""In the order of the columns of shares."""

DOMINANT_SHARE = 0.75
"""A mineral with at least this share of the silicates gives a spectrum its class; otherwise the
spectrum is of a mixture. Pyroxenes count together and their mean calcium names them: their bands
merge into those of one pyroxene of intermediate calcium, and grains on the Moon are zoned from
one into the other."""

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
    """(spectra, 3) volume shares of MINERALS, adding up to 1."""
    calcium: NDArray[np.float64]
    """(spectra,) mean wollastonite content of the pyroxene, 0 to 0.5; 0 where there is none."""
    source: NDArray[np.str_]
    name: NDArray[np.str_]
    specimen: NDArray[np.int64]
    """(spectra,) number of the parent specimen: equal for all that came from one rock."""

    def __len__(self) -> int:
        return len(self.reflectance)

    @property
    def label(self) -> NDArray[np.int64]:
        """(spectra,) class number."""
        high = self.calcium > PIGEONITE_LIMIT
        largest = self.shares.argmax(axis=1)
        named = np.where(largest == 0, high.astype(np.int64), largest + 1)
        dominant = self.shares.max(axis=1) >= DOMINANT_SHARE
        return np.where(dominant, named, CLASSES.index("other"))

    def where(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> "Library":
        """Return the chosen rows."""
        return Library(
            self.wavelength_nm, self.reflectance[keep], self.shares[keep], self.calcium[keep],
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
        shares, calcium = composition_of(labels)
        columns = {
            str(name): np.char.strip(stored["metadata"][:, index])
            for index, name in enumerate(stored["metadata_name"])
        }
        return Library(
            wavelength_nm=stored["wavelength_nm"].astype(np.float64),
            reflectance=stored["reflectance"].astype(np.float64),
            shares=shares,
            calcium=calcium,
            source=columns["Source"],
            name=columns["SampleName"],
            specimen=specimens(columns["SampleID"], columns["SampleName"]),
        )


def composition_of(
    labels: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (spectra, 3) shares and (spectra,) calcium from the library's 15 label columns."""
    olivine, orthopyroxene, clinopyroxene, plagioclase = labels[:, :4].T
    pyroxene = orthopyroxene + clinopyroxene
    calcium = orthopyroxene * labels[:, 8] + clinopyroxene * labels[:, 11]
    calcium = np.where(pyroxene > 0, calcium / np.maximum(pyroxene, 1e-9), 0)
    # Rounded: 0.2 as the library stores it, in 32 bits, is a little more than 0.2.
    return np.stack([pyroxene, olivine, plagioclase], axis=1), calcium.round(4)


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
