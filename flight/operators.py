"""`flight link` and `flight bundle`: what a running node holds and does, asked over its socket."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, TypeAlias

from flight.board.clock import BoardClock
from flight.config import read_mission
from flight.ports.gateway import socket_path
from flight.ports.localsocket import Message, call
from flight.settings import SettingsError

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_commands(commands: Subparsers) -> None:
    """Add `link status` and `bundle ls`, `show`, `drop` to the command line."""
    link = commands.add_parser("link", help="queues, sessions, rates and losses of a running node")
    actions = link.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add(actions, "status", "say how queues and links stand", "flight link status relay.toml")
    bundle = commands.add_parser("bundle", help="the bundles that a running node holds")
    actions = bundle.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add(actions, "ls", "list the bundles", "flight bundle ls relay.toml")
    for name, words in (("show", "say all of one bundle"), ("drop", "give a bundle up")):
        parser = _add(actions, name, words, f"flight bundle {name} relay.toml 17")
        parser.add_argument("number", type=int, help="as `flight bundle ls` lists it")


def _add(actions: Subparsers, name: str, words: str, example: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=words, description=words, epilog=f"example: {example}")
    parser.add_argument("config", type=Path, help="the node's TOML file")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    return parser


def run_command(chosen: argparse.Namespace, out: TextIO) -> int:
    """Ask the node, write the answer, return the exit code.

    Raises:
        SettingsError: the configuration is wrong, the node does not run, or it refuses.
    """
    mission = read_mission(chosen.config, reference_ms=BoardClock().now().dtn_ms)
    path = socket_path(mission.config.store.directory)
    ask = _asker(path)
    if chosen.command == "link":
        status = ask({"do": "status"})["status"]
        peers = [link.peer_node for link in mission.config.node.links]
        out.write(_json(status) if chosen.json else _status_text(status, peers))
    elif chosen.action == "ls":
        rows = ask({"do": "bundles"})["bundles"]
        out.write(_json(rows) if chosen.json else _table(rows))
    elif chosen.action == "show":
        found = ask({"do": "bundles"})["bundles"]
        rows = [row for row in _rows(found) if row.get("number") == chosen.number]
        if not rows:
            raise SettingsError(f"there is no bundle {chosen.number} at this node")
        lines = (f"{name:16s} {value}\n" for name, value in rows[0].items())
        out.write(_json(rows[0]) if chosen.json else "".join(lines))
    else:
        answer = ask({"do": "drop", "number": chosen.number})
        out.write(_json(answer) if chosen.json else f"bundle {chosen.number} given up\n")
    return 0


def _asker(path: Path) -> Callable[[Message], Message]:
    def ask(request: Message) -> Message:
        try:
            answer = call(path, request)
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path}: {error}; is the node running?") from error
        if "error" in answer:
            raise SettingsError(str(answer["error"]))
        return answer

    return ask


def _status_text(found: object, peers: list[int]) -> str:
    status = _mapping(found)
    queued = ", ".join(f"{n} of priority {p}" for p, n in enumerate(_items(status["queued"])))
    store = _mapping(status["store"])
    lines = [
        f"queued           {queued}",
        f"sending          {status['sending']} bundles",
        f"oldest           {status['oldest_s']} s",
        f"store            {store['bundles']} bundles, {store['used_bytes']} bytes"
        + (", DEGRADED to memory" if store["degraded"] else ""),
        "bundles          "
        + ", ".join(
            f"{status[name]} {name}"
            for name in ("sent", "received", "forwarded", "delivered", "duplicates", "buried")
        ),
    ]
    links = zip(peers, _items(status["links"]), _items(status["windows"]), strict=True)
    for peer, counts, window in links:
        link = _mapping(counts)
        loss = f"{_number(link['loss_ppm']) / 10_000:.1f} %"
        lines.append(
            f"link to node {peer}: {_window_text(_items(window))};"
            f" {link['send_sessions']} sessions out, {link['receive_sessions']} in;"
            f" {link['bytes_sent']} bytes sent, {link['segments_repeated']} segments again;"
            f" loss {loss}"
        )
    return "\n".join(lines) + "\n"


def _window_text(window: list[object]) -> str:
    is_open, rate_bytes_s, changes_in_s = window
    until = "" if changes_in_s == -1 else f" for {changes_in_s} s more"
    return f"open at {rate_bytes_s} bytes/s{until}" if is_open else f"closed{until}"


def _table(found: object) -> str:
    columns = ("number", "priority", "bytes", "state", "here_s", "to", "id")
    rows = [tuple(str(row.get(column, "")) for column in columns) for row in _rows(found)]
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, *rows)
    )
    return "\n".join(lines) + "\n"


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"


def _mapping(value: object) -> Message:
    return value if isinstance(value, dict) else {}


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _rows(value: object) -> list[Message]:
    return [_mapping(row) for row in _items(value)]


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
