"""What goes wrong with bundles."""

from collections.abc import Iterable


class BundleError(RuntimeError):
    """A bundle cannot be made, or does not fit; `faults` has all that was found, a line each."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))
