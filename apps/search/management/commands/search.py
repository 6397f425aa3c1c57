"""manage.py search"""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.search.embedders import EmbeddingError
from apps.search.indexes.registry import get_noun
from apps.search.searching.answering import RefusedSearchError, SearchRequest, answer_objects
from apps.search.searching.forms import SearchForm
from apps.search.searching.notes import NOT_INDEXED
from tenants.management.tenants import add_schema_arguments, each_tenant


class Command(BaseCommand):
    help = "Search a tenant and print a table of the best results."

    def add_arguments(self, parser: CommandParser) -> None:
        add_schema_arguments(parser, allow_all=False)
        parser.add_argument("query")
        parser.add_argument("--index", default="", help="the default one when left out")
        parser.add_argument("--limit", type=int, default=10)
        parser.add_argument("--mode", default="semantic", help="semantic, keyword or hybrid")
        parser.add_argument("--filter", default="", help='JSON, such as \'{"lang": "en"}\'')

    def handle(self, *args: Any, **options: Any) -> None:
        """Print score, title and snippet of each result."""
        asked = {name: options[name] for name in ("index", "limit", "mode", "filter")}
        form = SearchForm({"q": options["query"], **asked})
        if not form.is_valid():
            names = {name: f"--{name}" for name in asked} | {"q": "query"}
            lines = [f"{names[name]}: {' '.join(map(str, faults))}" for name, faults in form.errors.items()]
            raise CommandError("\n".join(lines))
        for _ in each_tenant(options):
            self._print(form.get_request())

    def _print(self, asked: SearchRequest) -> None:
        try:
            answer = answer_objects(asked)
        except (EmbeddingError, ImproperlyConfigured, RefusedSearchError) as error:
            raise CommandError(str(error)) from error
        if answer.degraded:
            self.stderr.write(answer.degraded)
        if answer.note:
            (self.stderr if answer.results else self.stdout).write(answer.note)
        if answer.note == NOT_INDEXED.format(get_noun(asked.index)):
            self.stdout.write("Is a worker running? `manage.py rebuild_index` indexes at once.")
        for rank, result in enumerate(answer.results, 1):
            self.stdout.write(
                f"{rank:>3}  {result.score:.3f}  {result.title[:48]:<48}  {result.snippet[:80]}"
            )
