"""Everything that can name a spectrum: the int8 model, its float twin, classical methods.

The classical methods get what they are usually given: reflectance on the spectra's own bands,
divided by its mean, learned from the same library as the network. They see no simulated spectra.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier

from flight.autonomy import mineral
from flight.autonomy.bands import covers
from flight.autonomy.mineral import MARGIN_ENTRIES, MARGIN_STEP, PHASES, MineralPolicy
from flight.board.card import Card, read_card, read_model
from flight.board.runtime import load
from models.int8.twin import FloatTwin
from models.mineral.examples import axis_of, prepared
from models.mineral.library import Library
from models.mineral.metrics import NO_CLASS, Said
from models.mineral.network import LEAST_COSINE

Array = NDArray[np.float64]
Judge = Callable[[Array, Array], Said]
"""From wavelengths in nm and (N, bands) reflectance to what is said of them."""


def int8_model(folder: Path) -> Judge:
    """Return the model as the board runs it, integers all the way."""
    known = read_card(folder)
    policy = known.policy_as(MineralPolicy)
    runtime = load(read_model(folder, known.digest))

    def judge(wavelength_nm: Array, reflectance: Array) -> Said:
        outputs = runtime.invoke(prepared(reflectance, wavelength_nm))
        pixels = mineral.read_pixels(outputs, policy, covered=covers(axis_of(wavelength_nm)))
        label = outputs[0][:, : len(PHASES)].argmax(axis=1)
        return Said(label, pixels.confidence / 1000, pixels.anomaly.astype(float))

    return judge


def float_model(folder: Path) -> Judge:
    """Return the same network without rounding, read through the same tables."""
    known = read_card(folder)
    policy = known.policy_as(MineralPolicy)
    twin = FloatTwin(folder / "float.tflite")

    def judge(wavelength_nm: Array, reflectance: Array) -> Said:
        logits, likeness = _answer(twin, known, prepared(reflectance, wavelength_nm))
        strange, logits = logits[:, -1] / known.outputs[0].scale, logits[:, :-1]
        ranked = np.sort(logits, axis=1)
        steps = (ranked[:, -1] - ranked[:, -2]) / known.outputs[0].scale
        entry = np.minimum(steps / MARGIN_STEP, MARGIN_ENTRIES - 1).astype(int)
        confidence = np.asarray(policy.confidence_permille)[entry] / 1000
        lacking = (1 - LEAST_COSINE - likeness[:, 0]) / known.outputs[1].scale
        angle = np.sqrt(np.maximum(lacking, 0)) * (1 << mineral.ANGLE_BITS)
        if not covers(axis_of(wavelength_nm)):
            angle = np.full_like(angle, policy.usual_angle)
        score = strange * policy.strange_weight + angle * policy.angle_weight
        return Said(logits.argmax(axis=1), confidence, score / (1 << mineral.SCORE_BITS))

    return judge


def _answer(
    twin: FloatTwin, known: Card, tensor: NDArray[np.int8]
) -> tuple[NDArray[np.float32], ...]:
    """Return the twin's logits and likeness; it takes whole batches only."""
    count, batch = len(tensor), known.input.shape[0]
    padded = np.concatenate([tensor, np.zeros((-count % batch, *tensor.shape[1:]), np.int8)])
    answers = twin.answer(padded.astype(np.float32) * np.float32(known.input.scale))
    return tuple(answer[:count] for answer in answers)


def spectral_angle(library: Library) -> Judge:
    """Return the class whose mean spectrum lies at the smallest angle (Kruse et al. 1993)."""

    def judge(wavelength_nm: Array, reflectance: Array) -> Said:
        known = _unit(_shape(library, wavelength_nm))
        classes = np.unique(library.label)
        means = _unit(np.stack([known[library.label == c].mean(axis=0) for c in classes]))
        cosine = _unit(_normalised(reflectance)) @ means.T
        return _uncertain(classes[cosine.argmax(axis=1)], 1 - cosine.max(axis=1))

    return judge


def nearest_angle(library: Library) -> Judge:
    """Return the class of the library spectrum at the smallest angle."""

    def judge(wavelength_nm: Array, reflectance: Array) -> Said:
        cosine = _unit(_normalised(reflectance)) @ _unit(_shape(library, wavelength_nm)).T
        return _uncertain(library.label[cosine.argmax(axis=1)], 1 - cosine.max(axis=1))

    return judge


def discriminant(library: Library) -> Judge:
    """Return linear discriminant analysis with shrunk covariance (Ledoit & Wolf)."""
    return _learner(library, LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))


def forest(library: Library) -> Judge:
    """Return a random forest of 500 trees, classes weighted equal."""
    return _learner(
        library, RandomForestClassifier(500, class_weight="balanced", random_state=0, n_jobs=1)
    )


def _learner(
    library: Library, learner: LinearDiscriminantAnalysis | RandomForestClassifier
) -> Judge:
    """Return a scikit-learn classifier; its doubt is its strangeness."""

    def judge(wavelength_nm: Array, reflectance: Array) -> Said:
        learner.fit(_shape(library, wavelength_nm), library.label)
        chance = learner.predict_proba(_normalised(reflectance))
        label = learner.classes_[chance.argmax(axis=1)]
        return Said(label, chance.max(axis=1), 1 - chance.max(axis=1))

    return judge


def component_residual(library: Library) -> Judge:
    """Return what 12 principal components leave over: an anomaly score, no classes."""

    def judge(wavelength_nm: Array, reflectance: Array) -> Said:
        components = PCA(12, random_state=0).fit(_shape(library, wavelength_nm))
        seen = _normalised(reflectance)
        rest = seen - components.inverse_transform(components.transform(seen))
        return _uncertain(np.full(len(seen), NO_CLASS), np.square(rest).sum(axis=1))

    return judge


BASELINES: dict[str, Callable[[Library], Judge]] = {
    "spectral_angle": spectral_angle,
    "nearest_spectrum_angle": nearest_angle,
    "lda": discriminant,
    "random_forest": forest,
    "pca_residual": component_residual,
}


def _uncertain(label: NDArray[np.int64], strangeness: Array) -> Said:
    """Return what a method says that gives no confidence."""
    return Said(label, np.full(len(label), np.nan), strangeness)


def _shape(library: Library, wavelength_nm: Array) -> Array:
    """Return the library's spectra on other bands, each divided by its mean."""
    return _normalised(
        np.stack(
            [np.interp(wavelength_nm, library.wavelength_nm, row) for row in library.reflectance]
        )
    )


def _normalised(reflectance: Array) -> Array:
    return reflectance / reflectance.mean(axis=1, keepdims=True)


def _unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
