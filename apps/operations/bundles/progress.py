"""Progress of what goes on for long."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tqdm import tqdm

from apps.operations.bundles.archive import Progress, ignore

# Called with what is done and how many bytes it has (None: not known); gives what is called with each piece.
type Bar = Callable[[str, int | None], AbstractContextManager[Progress]]


@contextmanager
def no_bar(label: str, total: int | None) -> Iterator[Progress]:
    """Show nothing."""
    yield ignore


@contextmanager
def show_bar(label: str, total: int | None) -> Iterator[Progress]:
    """Show a bar where a person looks on, and nothing in a log."""
    with tqdm(desc=label, total=total, unit="B", unit_scale=True, disable=None) as bar:
        yield bar.update
