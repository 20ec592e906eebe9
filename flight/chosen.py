"""Which model each task uses: the configuration's choice, or the one in the package."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from flight.autonomy.tasks import TASKS, Policy
from flight.board.card import Card, CardError, read_card
from flight.config import Config
from flight.product.events import Event, Happening


@dataclass(frozen=True, slots=True)
class Usable:
    """A model whose card could be read."""

    card: Card
    folder: Path
    policy: Policy


def usable_models(config: Config) -> tuple[dict[str, Usable], list[Happening]]:
    """Return the model of each task that a sensor needs, and what could not be read."""
    models, happenings = {}, []
    for task, folder in model_folders(config).items():
        try:
            card = read_card(folder)
            models[task] = Usable(card, folder, card.policy_as(TASKS[task].policy))
        except CardError as error:
            happenings.append(Event.MODEL_REFUSED(model=task, what=str(error)))
    return models, happenings


def model_folders(config: Config) -> dict[str, Path]:
    """Return where the model of each task lies that a sensor needs and that is to be used."""
    chosen = {model.task: model for model in config.models}
    kinds = {sensor.kind for sensor in config.sensors}
    return {
        task: (chosen[task].folder if task in chosen else None) or packaged_model(task)
        for task, row in TASKS.items()
        if row.kind in kinds and (task not in chosen or chosen[task].use)
    }


def packaged_model(task: str) -> Path:
    """Return the folder of the model that comes with the package."""
    spec = importlib.util.find_spec("models")
    places = () if spec is None else tuple(spec.submodule_search_locations or ())
    return Path(places[0] if places else "models") / task
