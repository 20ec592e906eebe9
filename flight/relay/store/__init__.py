"""The durable store: a bundle is ours once its commit is on the medium.

store = open_store(settings)          # a log of files; memory if they fail
ticket = store.submit(Put(...))       # never waits
... poll store.fileno() ...
for result in store.take_done(): ...  # Stored(ticket, entry) and the others of values.py
"""

from flight.relay.settings import StoreSettings
from flight.relay.store.files import SystemFiles
from flight.relay.store.guard import BusyError, GuardedMedium
from flight.relay.store.ram import RamMedium
from flight.relay.store.values import Store
from flight.relay.store.writer import InlineStore, ThreadedStore

__all__ = ["BusyError", "Store", "open_ram_store", "open_store"]


def open_store(settings: StoreSettings, *, inline: bool = False) -> Store:
    """Return the store of a directory, repaired as far as it can be.

    Its results begin with reports of what was found. ``inline`` commits in the calling thread,
    for simulations and tools.

    Raises:
        BusyError: another process owns the directory.
    """
    medium = GuardedMedium(settings, SystemFiles())
    return InlineStore(settings, medium) if inline else ThreadedStore(settings, medium)


def open_ram_store(settings: StoreSettings) -> Store:
    """Return a store that forgets at exit, for simulations and nodes without a disk."""
    return InlineStore(settings, RamMedium(settings))
