"""manage.py evaluate_search"""

import json
from contextlib import nullcontext
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from apps.search.embedders import EmbeddingError
from apps.search.indexes.registry import get_index_names
from apps.search.providers import UnknownIndexError
from apps.search.rerankers.second_look import using_reranker
from apps.search.searching.hybrid import MODES
from apps.search_quality.evaluating.gates import Gates, find_baseline, find_failures
from apps.search_quality.evaluating.measuring import (
    EmptySpaceError,
    NoGoldenQueriesError,
    evaluate,
    read_questions,
    require_documents,
)
from apps.search_quality.evaluating.runs import save_run
from apps.search_quality.models import Evaluation
from tenants.management.numbers import number_within
from tenants.management.tenants import add_schema_arguments, work_in_each

HEADINGS = ("schema", "index", "space", "mode", "queries", "recall", "MRR", "nDCG", "95% interval", "ms")
ROW = "{:<16} {:<14} {:<12} {:<16} {:>7} {:>7} {:>7} {:>7}  {:<13} {:>7}  {}"
BAR = 20  # characters
FIELDS = ("mode", "queries", "recall", "mrr", "ndcg", "ndcg_low", "ndcg_high", "milliseconds")


class Command(BaseCommand):
    help = (
        "Search for the golden queries by meaning, by words and by both, and print recall@k, MRR@k, nDCG@k "
        "and the median time of a search. The exit code is 1 when a gate does not hold."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_schema_arguments(parser)
        parser.add_argument("--index", help="one index only (default: all with golden queries)")
        parser.add_argument("--space", help="an alias of settings.EMBEDDINGS (default: the tenant's own)")
        parser.add_argument("--mode", action="append", choices=MODES, help="may be repeated (default: all)")
        parser.add_argument(
            "--reranker",
            help="an alias of settings.RERANKERS: search without and with it (not with --save)",
        )
        parser.add_argument(
            "--k", type=number_within(int, 1, 100), default=10, help="how many results count, 1 to 100 (10)"
        )
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
        parser.add_argument("--save", action="store_true", help="keep the figures, for the plot over time")
        for name in ("recall", "mrr", "ndcg"):
            parser.add_argument(
                f"--min-{name}",
                type=number_within(float, 0, 1),
                help=f"fail where a mode's {name} is below, 0 to 1",
            )
        parser.add_argument(
            "--max-drop",
            type=number_within(float, 0, 1),
            help="fail where a mode's nDCG fell by more since the last --save that passed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Evaluate tenant by tenant and index by index, print, save, and judge."""
        if options["reranker"] and options["save"]:
            raise CommandError("--reranker: figures of a trial are not kept. Leave out --save.")
        gates = Gates(**{name: options[name] for name in ("min_recall", "min_mrr", "min_ndcg", "max_drop")})
        found, failures = [], list[str]()

        def judge(tenant: Any) -> None:
            for evaluations in self._evaluate_tenant(tenant.schema_name, options):
                found.append((tenant.schema_name, evaluations))
                run = evaluations[0].run
                faults = find_failures(evaluations, gates, find_baseline(run))
                failures.extend(f"{tenant.schema_name}/{run.index_name}: {line}" for line in faults)
                if options["save"]:
                    run.is_baseline = not faults  # only what passed is what later ones are measured by
                    save_run(evaluations)

        failures += work_in_each(options, judge)
        if not found:
            missing = "No tenant has golden queries that can be evaluated; see above."
            raise CommandError("\n".join([*failures, missing]))
        self._print(found, as_json=options["json"])
        if failures:
            raise CommandError("\n".join(failures))

    def _evaluate_tenant(self, schema: str, options: dict[str, Any]) -> list[list[Evaluation]]:
        """Go through the indexes; with --all, a tenant without golden queries is passed over."""
        found, missing = [], []
        for index in [options["index"]] if options["index"] else get_index_names():
            try:
                found.append(self._evaluate(schema, index, options))
            except NoGoldenQueriesError as error:
                missing.append(f"{schema}: {error}")
        if missing and not found:
            if options["schema"]:
                raise CommandError("\n".join(missing))
            self.stderr.write("\n".join(missing))
        return found

    def _evaluate(self, schema: str, index: str, options: dict[str, Any]) -> list[Evaluation]:
        modes = options["mode"] or MODES
        with tqdm(desc=f"{schema}/{index}", unit=" searches", leave=False, disable=None) as bar:
            try:
                if read_questions(index):
                    require_documents(index, options["space"])
                found = []
                for reranker in ["", options["reranker"]] if options["reranker"] else [None]:
                    with nullcontext() if reranker is None else using_reranker(reranker):
                        each = evaluate(
                            index, space=options["space"], modes=modes, k=options["k"], progress=bar.update
                        )
                    for evaluation in each if reranker else ():
                        evaluation.mode += f"+{reranker}"
                    found += each
                return found
            except UnknownIndexError as error:
                raise CommandError(f"--index: {error}") from error
            except ImproperlyConfigured as error:
                name = "--reranker" if str(error).startswith("RERANKERS") else "--space"
                raise CommandError(f"{name}: {error}") from error
            except (EmptySpaceError, EmbeddingError) as error:
                raise CommandError(f"{schema}: {error}") from error

    def _print(self, found: list[tuple[str, list[Evaluation]]], *, as_json: bool) -> None:
        rows = [(schema, each) for schema, evaluations in found for each in evaluations]
        if not as_json:
            lines = [_format(schema, each) for schema, each in rows]
            return self.stdout.write("\n".join([ROW.format(*HEADINGS, "").rstrip(), *lines]))
        shown = [
            {"schema": schema, "index": each.run.index_name, "space": each.run.space, "k": each.run.k}
            | {name: getattr(each, name) for name in FIELDS}
            for schema, each in rows
        ]
        return self.stdout.write(json.dumps(shown, indent=2))


def _format(schema: str, evaluation: Evaluation) -> str:
    shares = [f"{value:.3f}" for value in (evaluation.recall, evaluation.mrr, evaluation.ndcg)]
    return ROW.format(
        schema,
        evaluation.run.index_name,
        evaluation.run.space,
        evaluation.mode,
        evaluation.queries,
        *shares,
        f"{evaluation.ndcg_low:.3f}-{evaluation.ndcg_high:.3f}",
        f"{evaluation.milliseconds:.1f}",
        ("█" * round(BAR * evaluation.ndcg)).ljust(BAR, "░"),
    )
