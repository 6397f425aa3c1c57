"""OnnxModel: runs a transformer that is an ONNX file, with its tokenizer.json, on the processors.

Each text is a run of its own, on one thread: padding a batch to its longest text costs memory and gains
nothing, and threads that share one text wait for each other after every operation.
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from apps.search.endpoints.patience import is_hurried

from .base import EmbeddingError
from .weights import WeightsFile, give_back_memory, once_for_forks, once_per_process

if TYPE_CHECKING:
    import tokenizers

POLITENESS = 10  # the niceness of threads that nobody waits for; see nice(2)

type Input = str | tuple[str, str]

# What a model may ask for, by the names that the exporters of transformers give.
FEEDS: dict[str, Callable[["tokenizers.Encoding"], Sequence[int]]] = {
    "input_ids": lambda tokens: tokens.ids,
    "attention_mask": lambda tokens: tokens.attention_mask,
    "token_type_ids": lambda tokens: tokens.type_ids,
    "position_ids": lambda tokens: range(len(tokens.ids)),
}
TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


@dataclass(frozen=True)
class OnnxModel:
    """A model and its tokenizer; both are loaded on first use, once in a process.

    At most `max_tokens` of each text are read, the model's own marks counted. `output` names the output that
    counts; empty: the first. `threads` texts are worked on at once; 0: one for each processor.
    """

    model: WeightsFile
    tokenizer: WeightsFile
    max_tokens: int
    output: str = ""
    threads: int = 0

    def run[T](
        self,
        inputs: Sequence[Input],
        reduce: Callable[[npt.NDArray[Any]], T],
        *,
        deadline: float | None = None,
    ) -> list[T]:
        """Return what `reduce` makes of the output for each text or pair of texts, in their order.

        The output has no axis for the batch: it is of shape (tokens, numbers) or (numbers,). `run_each` says
        which threads run the texts. Raises EmbeddingError, also for a text that has not begun at the
        `deadline`, a value of time.monotonic().
        """
        tokenizer, session = self.load_tokenizer(truncated=True), _load_session(self.model)
        feeds, output = _read_inputs(self.model, session), self._find_output(session)

        def run_one(position: int) -> T:
            if deadline is not None and time.monotonic() > deadline:
                raise EmbeddingError(f"{self.model.path}: the time for {len(inputs)} texts is up")
            given = inputs[position]
            tokens = tokenizer.encode(*((given,) if isinstance(given, str) else given))
            arrays = {name: np.array([FEEDS[name](tokens)], dtype=kind) for name, kind in feeds.items()}
            return reduce(session.run([output], arrays)[0][0])

        return run_each([_measure(given) for given in inputs], run_one, threads=self.threads)

    def load(self) -> None:
        """Load the model and the tokenizer of searches, and run neither. Raises EmbeddingError."""
        self.load_tokenizer(truncated=True)
        _load_session(self.model)

    def load_tokenizer(self, *, truncated: bool) -> "tokenizers.Tokenizer":
        """Return the tokenizer; `truncated`: cut at `max_tokens`. Raises EmbeddingError."""
        return _load_tokenizer(self.tokenizer, self.max_tokens if truncated else 0)

    def check_files(self) -> None:
        """Raise EmbeddingError if a file is missing. Cheap: reads nothing."""
        self.model.find()
        self.tokenizer.find()

    def _find_output(self, session: Any) -> str:
        names = [output.name for output in session.get_outputs()]
        if self.output and self.output not in names:
            known = ", ".join(names)
            raise EmbeddingError(f"{self.model.path}: there is no output {self.output!r}; it has {known}.")
        return self.output or names[0]


def run_each[T](sizes: Sequence[int], run_one: Callable[[int], T], *, threads: int) -> list[T]:
    """Return what `run_one` makes of each position in `sizes`, the lengths of texts; the longest begin first.

    A single one is run by the caller's thread; several by `threads` others, 0: one for each processor. They
    give way to everything else unless the caller is in a hurry, so that indexing does not hold up searches.
    """
    if len(sizes) == 1:
        return [run_one(0)]
    order = sorted(range(len(sizes)), key=lambda position: -sizes[position])
    pool = _open_pool(threads or _count_processors(), is_polite=not is_hurried())
    done = dict(zip(order, pool.map(run_one, order), strict=True))
    return [done[position] for position in range(len(sizes))]


def _measure(given: Input) -> int:
    return len(given) if isinstance(given, str) else sum(map(len, given))


def _read_inputs(model: WeightsFile, session: Any) -> dict[str, Any]:
    """Return the names of the model's inputs with their types."""
    types = {given.name: TYPES.get(given.type) for given in session.get_inputs()}
    if strange := [name for name, kind in types.items() if name not in FEEDS or kind is None]:
        raise EmbeddingError(
            f"{model.path}: the input(s) {', '.join(strange)} cannot be given; "
            f"a model may ask for whole numbers named {', '.join(FEEDS)}."
        )
    return types


def _count_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@once_per_process
def _open_pool(threads: int, *, is_polite: bool) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "onnx", initializer=_give_way if is_polite else None)


def _give_way() -> None:
    # Linux alone gives each thread a niceness of its own; elsewhere it would be the whole process's.
    if hasattr(os, "sched_getaffinity"):
        with suppress(PermissionError):  # it is nicer already
            os.setpriority(os.PRIO_PROCESS, 0, POLITENESS)


@once_for_forks  # a session of one thread has no other thread, and does not write to its weights
def _load_session(model: WeightsFile) -> Any:
    import onnxruntime  # heavy, and not needed until the first text

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content = model.read()
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library raises several classes of its own, which share no other base
        raise EmbeddingError(f"{model.path}: onnxruntime cannot load it: {str(error)[:300]}") from error
    del content
    give_back_memory()
    return session


@once_for_forks
def _load_tokenizer(file: WeightsFile, max_tokens: int) -> "tokenizers.Tokenizer":
    from tokenizers import Tokenizer  # heavy, and not needed until the first text

    content = file.read()
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # the library raises nothing narrower
        raise EmbeddingError(f"{file.path}: is no tokenizer.json: {str(error)[:300]}") from error
    # The file's own choices are those of whoever trained or exported it, such as padding to 128 tokens.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if max_tokens:
        tokenizer.enable_truncation(max_tokens)
    return tokenizer
