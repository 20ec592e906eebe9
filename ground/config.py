"""The configuration of a ground station in one TOML file: `ground receive CONFIG.toml`."""

from dataclasses import dataclass, replace
from pathlib import Path

from flight.ports.settings import PortSettings, check_links, fit_links
from flight.relay.bpsec import SecuritySettings
from flight.relay.contactfile import read_plan
from flight.relay.contacts import ContactPlan
from flight.relay.node.labels import ADMINISTRATIVE_SERVICE
from flight.relay.settings import NodeSettings, StoreSettings
from flight.settings import read_settings


@dataclass(frozen=True, slots=True)
class StationConfig:
    """All settings of one ground station."""

    node: NodeSettings
    store: StoreSettings
    contact_plan: Path
    """ION's `a contact` lines, or TOML where the name ends in .toml."""
    archive: Path
    """Folder of the archive; made where it is missing."""
    ports: tuple[PortSettings, ...] = ()
    security: tuple[SecuritySettings, ...] = ()
    """Which bundles are signed or sealed, and which must be (BPSec, RFC 9172). Where others can
    reach the link, require integrity for commands."""
    command_lifetime_s: int = 7 * 86_400
    """How long a request to a board may be under way."""

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        check_links(self.node, self.ports)


def read_station(path: Path, *, reference_ms: int) -> tuple[StationConfig, ContactPlan]:
    """Return a station's configuration and its contact plan; status reports are archived, too.

    ``reference_ms``: the DTN time that "+N" in the plan counts from.

    Raises:
        SettingsError: a file cannot be read or does not fit.
    """
    config = read_settings(StationConfig, path)
    node = replace(config.node, services=(*config.node.services, ADMINISTRATIVE_SERVICE))
    config = replace(config, node=fit_links(node, config.ports))
    return config, read_plan(config.contact_plan, reference_ms=reference_ms)
