"""Any bytes may stand in the store's files: it opens, tells, gives only what was put."""

import shutil
from pathlib import Path
from random import Random  # noqa: TID251 - seeded chance
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from flight.relay.store.disk import DiskMedium
from flight.relay.store.files import SystemFiles
from hil_tests.workload import fast_directory, look, small_settings
from tools.campaign.bitflips import live

damages = st.lists(
    st.tuples(
        st.sampled_from(["cut", "rubbish", "zeros", "copy", "remove"]),
        st.integers(0, 7),
        st.floats(0, 1),
        st.integers(1, 9_000),
    ),
    min_size=1,
    max_size=4,
)


def damage(directory: Path, kind: str, which: int, place: float, length: int) -> None:
    """Do something to one file of a store that no medium ought to do."""
    files = [path for path in sorted(directory.iterdir()) if path.is_file()]
    path = files[which % len(files)]
    content = bytearray(path.read_bytes())
    at = int(place * len(content))
    if kind == "cut":
        del content[at:]
    elif kind == "copy":
        content[at : at + length] = content[:length]
    elif kind == "rubbish":
        content[at : at + length] = Random(length).randbytes(length)
    else:
        content[at : at + length] = bytes(length)
    if kind == "remove" and len(files) > 1:
        path.unlink()
    else:
        path.write_bytes(content)


@given(seed=st.integers(0, 5), damaged=damages)
@settings(max_examples=60, deadline=None)
def test_whatever_stands_in_the_files_the_store_opens_and_gives_only_what_was_put(
    seed: int, damaged: list[tuple[str, int, float, int]]
) -> None:
    with TemporaryDirectory(dir=fast_directory()) as name:
        home, image = Path(name) / "home", Path(name) / "image"
        medium, model = live(home, seed, batches=25)
        shutil.copytree(home, image)
        medium.close()
        for one in damaged:
            damage(image, *one)
        again = DiskMedium(small_settings(image), SystemFiles())
        finding = look(again)
        again.close()
        assert all(model.known[name] == data for name, data in finding.data.items())
        # And once more: what was found is on the medium as if nothing had happened.
        third = DiskMedium(small_settings(image), SystemFiles())
        assert look(third).data.items() >= finding.data.items()
        third.close()
