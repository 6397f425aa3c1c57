"""manage.py prove_isolation"""

import json
import random
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.operations.isolation.proving import prove
from tenants.management.numbers import number_within
from tenants.management.tenants import describe_broken, find_next_step
from tenants.models import Tenant


class Command(BaseCommand):
    help = (
        "Plant a canary in each active tenant and look for it from every other one and from none. Leaves "
        "nothing behind. Exits with 1 when something leaks. The time grows with the square of the tenants."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--schema", action="append", default=[], help="only these; may be repeated")
        parser.add_argument(
            "--sample", type=number_within(int, 1), metavar="N", help="only N of them, chosen at random"
        )
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there, too")
        parser.add_argument("--attempts", action="store_true", help="print each pair as it is tried")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prove it or exit with 1."""
        tenants = self._choose_tenants(options["schema"], options["sample"])
        path: Path | None = options["json"]
        if path and (path.is_dir() or not path.parent.is_dir()):
            raise CommandError(f"--json: {str(path)!r} is not a file in a folder that exists.")
        report = prove(tenants, self.stdout.write if options["attempts"] else lambda line: None)
        if path:
            path.write_text(json.dumps(report.as_dict(), indent=2) + "\n")
        self.stdout.write(report.as_text())
        if not report.is_proof:
            raise CommandError(f"{len(report.leaks)} leaks, {len(report.blind)} attacks that are blind.")
        tried = report.tried.total()
        self.stdout.write(self.style.SUCCESS(f"{len(tenants)} tenants, {tried:,} attempts: nothing leaks."))

    def _choose_tenants(self, schemas: list[str], sample: int | None) -> list[Tenant]:
        tenants = list(Tenant.objects.filter(state=Tenant.State.ACTIVE).order_by("schema_name"))
        if unknown := sorted(set(schemas) - {tenant.schema_name for tenant in tenants}):
            names = ", ".join(map(repr, unknown))
            raise CommandError(
                f"--schema: no active tenant has the schema {names}. {find_next_step(unknown[0])}"
            )
        if schemas:
            tenants = [tenant for tenant in tenants if tenant.schema_name in schemas]
        broken = describe_broken(tenants)
        for line in broken.values():
            if schemas:
                raise CommandError(f"--schema: {line}")
            self.stderr.write(f"Passed over {line}")
        tenants = [tenant for tenant in tenants if tenant.schema_name not in broken]
        if sample is not None:
            if sample < 1:
                raise CommandError(f"--sample is {sample}; it must be 1 or more.")
            tenants = random.sample(tenants, min(sample, len(tenants)))  # nosec B311: chance alone is wanted
        if not tenants:
            raise CommandError(f"There is no active tenant to attack. {find_next_step('')}")
        return tenants
