"""Models: each folder holds model.tflite, card.toml, and the code that trained and judged them.

Their commands (``python -m models.NAME.train``, ``python -m models.NAME.evaluate``) need the extra
``train``, which a board does not have.
"""

import sys
from importlib.util import find_spec

NEEDED = ("ai_edge_litert", "flatbuffers", "scipy", "sklearn", "torch", "xraylib")
"""What the extra ``train`` brings."""


def missing() -> tuple[str, ...]:
    """Return the packages of the extra ``train`` that are not installed."""
    return tuple(name for name in NEEDED if find_spec(name) is None)


# While Python looks for the module of a command, this is what stands in argv (its docs on -m say
# so): here, before any import fails, is the place to say plainly what to install.
if sys.argv[0] == "-m" and missing():
    sys.exit(
        f"this command needs the extra [train]; missing: {', '.join(missing())}; "
        "install it: pip install 'farside[train]', in a checkout "
        "./tools/start python -m pip install --editable '.[dev,train]'"
    )
