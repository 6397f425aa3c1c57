"""How far long work is: a bar on a terminal, lines in a log."""

import io
import sys
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

SECONDS = 5.0  # between two lines in a log


class Bar(tqdm):
    """A tqdm that writes lines where its file is no terminal; there, bars would write over each other."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.is_log = not (options.get("file") or sys.stderr).isatty()
        if self.is_log:
            options = {"mininterval": SECONDS, "maxinterval": SECONDS, "miniters": 1, "ncols": 80, **options}
        super().__init__(*args, **options)

    def close(self) -> None:
        """End; in a log, with the last line and without the empty one of tqdm's."""
        if self.is_log and not self.disable:
            self.display()
            self.fp, self.sp = io.StringIO(), lambda text: None
        super().close()

    @staticmethod
    def status_printer(file: Any) -> Callable[[str], None]:
        """Return the function that shows a text in place of the last one, or below it."""
        if file.isatty():
            return tqdm.status_printer(file)

        def write_line(text: str) -> None:
            if text.strip():
                file.write(f"{text}\n")
                file.flush()

        return write_line
