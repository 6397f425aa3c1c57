from pathlib import Path

from django.core.management.base import BaseCommand

from tenants.management.tenants import add_schema_arguments, each_tenant
from tests.models_app.models import Note


class Command(BaseCommand):
    """Make a note of each text file."""

    def add_arguments(self, parser):
        add_schema_arguments(parser)
        parser.add_argument("paths", nargs="+", type=Path)

    def handle(self, *args, **options):
        for _ in each_tenant(options):
            for path in options["paths"]:
                Note.objects.create(title=path.stem, body=path.read_text())
