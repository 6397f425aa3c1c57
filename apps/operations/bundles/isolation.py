"""An attack by a bundle that says whose it is."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apps.operations.bundles.manifest import Manifest, Registration, Versions
from apps.operations.bundles.registration import find_row_faults, make_row
from tenants.context import unbound

if TYPE_CHECKING:
    from apps.operations.isolation.party import Party


def pass_off_bundle(victim: "Party", attacker: "Party") -> bool:
    """A bundle with the attacker's host that claims the victim's schema: whether an import would take it."""
    origin = Registration(
        schema_name=victim.schema_name,
        hostname=attacker.host,
        domains=[],
        state="active",
        state_reason="",
        fields={"name": "Canary", "owner_email": attacker.email},
    )
    nothing = Versions(postgresql="", pgvector="", django="", project="")
    manifest = Manifest(
        format=1,
        made_at=datetime.now(UTC),
        versions=nothing,
        tenant=origin,
        migrations=[],
        tables=[],
        left_out=[],
        sequences={},
        tasks=[],
        parts={},
        files=[],
    )
    with unbound():
        row = make_row(manifest, {"subdomain": victim.word[:40]})
        return not list(find_row_faults(row, manifest))


ATTACKS = [pass_off_bundle]
