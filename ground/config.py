"""The configuration of a ground station in one TOML file: `ground receive CONFIG.toml`."""

from dataclasses import dataclass, replace
from pathlib import Path

from flight.relay.contactfile import read_ion_plan, read_toml_plan
from flight.relay.contacts import ContactPlan
from flight.relay.settings import LinkSettings, NodeSettings, StoreSettings
from flight.settings import SettingsError, read_settings, read_text


@dataclass(frozen=True, slots=True)
class UdpSettings:
    """LTP over UDP."""

    bind: str
    """Our address, HOST:PORT."""
    remote: str
    """The neighbour's address, HOST:PORT."""


@dataclass(frozen=True, slots=True)
class PortSettings:
    """The wire of one link."""

    peer_node: int
    """The neighbour at its other end, as in [[node.links]]."""
    udp: UdpSettings


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
    command_lifetime_s: int = 7 * 86_400
    """How long a request to a board may be under way."""

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        ports, links = (sorted(x.peer_node for x in xs) for xs in (self.ports, self.node.links))
        if ports != links:
            raise ValueError(f"[[ports]] lead to nodes {ports}, [[node.links]] to {links}")


def read_station(path: Path, *, reference_ms: int) -> tuple[StationConfig, ContactPlan]:
    """Return a station's configuration and its contact plan.

    ``reference_ms``: the DTN time that "+N" in the plan counts from.

    Raises:
        SettingsError: a file cannot be read or does not fit.
    """
    config = read_settings(StationConfig, path)
    links = tuple(_with_engines(link, config.node.node_number) for link in config.node.links)
    config = replace(config, node=replace(config.node, links=links))
    return config, read_plan(config.contact_plan, reference_ms=reference_ms)


def read_plan(path: Path, *, reference_ms: int) -> ContactPlan:
    """Return the contact plan in a file.

    Raises:
        SettingsError: the file cannot be read, or is no contact plan.
    """
    text = read_text(path)
    try:
        if path.suffix == ".toml":
            return read_toml_plan(text, reference_ms=reference_ms, source=str(path))
        return read_ion_plan(text, reference_ms=reference_ms)
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error


def _with_engines(link: LinkSettings, node_number: int) -> LinkSettings:
    """Return the link with engine ids filled in: by custom they are the node numbers."""
    engines = replace(
        link.ltp,
        engine_id=link.ltp.engine_id or node_number,
        peer_engine_id=link.ltp.peer_engine_id or link.peer_node,
    )
    return replace(link, ltp=engines)
