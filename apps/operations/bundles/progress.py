"""Progress of what takes long."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tqdm import tqdm

type Progress = Callable[[int], object]  # called with the number of bytes that were just dealt with
# Called with a label and the number of all bytes, None if it is not known.
type Bar = Callable[[str, int | None], AbstractContextManager[Progress]]


@contextmanager
def show_bar(label: str, total: int | None) -> Iterator[Progress]:
    """Show a bar on a terminal, and nothing in a log."""
    with tqdm(desc=label, total=total, unit="B", unit_scale=True, disable=None) as bar:
        yield bar.update
