from enum import Enum, auto

from tools.draw_states import draw, engines


class Lamp(Enum):
    OFF = auto()
    ON = auto()
    BROKEN = auto()


class Act(Enum):
    PRESS = auto()
    CLAP_TWICE = auto()
    DROP = auto()


def test_a_table_is_drawn_with_one_arrow_a_pair_of_states():
    table = {
        (Lamp.OFF, Act.PRESS): Lamp.ON,
        (Lamp.OFF, Act.CLAP_TWICE): Lamp.ON,
        (Lamp.ON, Act.DROP): Lamp.BROKEN,
    }
    assert draw(table).splitlines() == [
        "stateDiagram-v2",
        "    [*] --> OFF",
        "    OFF --> ON: press, clap twice",
        "    ON --> BROKEN: drop",
        "    BROKEN --> [*]",
    ]


def test_every_engine_with_a_table_is_found_and_every_state_can_be_reached():
    found = dict(engines())
    assert {"flight.relay.ltp.send_session", "flight.relay.ltp.receive_session"} <= set(found)
    for name, table in found.items():
        first, _ = next(iter(table))
        reached, size = {first}, 0
        while len(reached) > size:
            size = len(reached)
            reached |= {after for (state, _), after in table.items() if state in reached}
        assert reached == set(type(first)), name
