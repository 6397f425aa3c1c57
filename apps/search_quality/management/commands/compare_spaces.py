"""manage.py compare_spaces"""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from apps.search.embedders import EmbeddingError
from apps.search.indexes.registry import get_default_index
from apps.search.providers import UnknownIndexError
from apps.search.searching.hybrid import MODES
from apps.search.spaces.space import get_space
from apps.search_quality.comparing import Answer, Comparison, compare_spaces
from apps.search_quality.evaluating.measures import Interval
from apps.search_quality.evaluating.measuring import EmptySpaceError, require_documents
from tenants.management.numbers import number_within
from tenants.management.tenants import add_schema_arguments, each_tenant

TOP = 3  # answers of a list that are printed
VERDICTS = {
    "better": "the candidate is better",
    "worse": "the candidate is worse",
    "noise": "the difference may be chance",
    "unknown": "there are no golden queries",
}


class Command(BaseCommand):
    help = "Search for recent and golden queries in two spaces and say how the answers differ."

    def add_arguments(self, parser: CommandParser) -> None:
        add_schema_arguments(parser, allow_all=False)
        parser.add_argument("candidate", help="an alias of settings.EMBEDDINGS with the documents embedded")
        parser.add_argument("--current", help="the space to compare with (default: the tenant's own)")
        parser.add_argument("--index", help="the default index, when left out")
        parser.add_argument("--mode", choices=MODES, default="semantic")
        parser.add_argument(
            "--limit", type=number_within(int, 0), default=50, help="how many recent queries (50)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print overlap, nDCG of both, and the queries that differ most."""
        for tenant in each_tenant(options):
            spaces = options["current"] or tenant.space, options["candidate"]
            _refuse_unknown("--current", spaces[0])
            _refuse_unknown("candidate", spaces[1])
            with tqdm(desc=" and ".join(spaces), unit=" queries", leave=False, disable=None) as bar:
                try:
                    index = options["index"] or get_default_index()
                    for space in spaces:
                        require_documents(index, space)
                    comparison = compare_spaces(
                        index,
                        *spaces,
                        options["limit"],
                        mode=options["mode"],
                        progress=bar.update,
                    )
                except UnknownIndexError as error:
                    raise CommandError(f"--index: {error}") from error
                except (ImproperlyConfigured, EmptySpaceError, EmbeddingError) as error:
                    raise CommandError(str(error)) from error
            self._print(comparison)

    def _print(self, comparison: Comparison) -> None:
        self.stdout.write(f"{comparison.index_name}: {comparison.current} and {comparison.candidate}")
        if comparison.overlap:
            self.stdout.write(
                f"overlap@10: {_format(comparison.overlap)}, {comparison.queries} recent queries"
            )
        else:
            self.stdout.write("overlap@10: nothing was searched for lately")
        if comparison.gain and comparison.current_golden and comparison.candidate_golden:
            both = comparison.current_golden.ndcg, comparison.candidate_golden.ndcg
            gain = f"{both[0]:.3f} and {both[1]:.3f}, gain {_format(comparison.gain)}"
            self.stdout.write(f"nDCG@10: {gain}, {comparison.current_golden.queries} golden queries")
        self.stdout.write(f"verdict: {VERDICTS[comparison.verdict]}")
        for difference in comparison.differences:
            self.stdout.write(f"{difference.overlap:.2f}  {difference.query}")
            self.stdout.write(f"      {comparison.current}: {_name(difference.current)}")
            self.stdout.write(f"      {comparison.candidate}: {_name(difference.candidate)}")


def _format(interval: Interval) -> str:
    return f"{interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _name(answers: list[Answer]) -> str:
    return "; ".join(answer.title for answer in answers[:TOP]) or "nothing"


def _refuse_unknown(argument: str, alias: str) -> None:
    try:
        get_space(alias)
    except ImproperlyConfigured as error:
        raise CommandError(f"{argument}: {error}") from error
