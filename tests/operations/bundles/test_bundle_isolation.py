import pytest
from django.core.management import CommandError, call_command

from apps.operations.bundles import registration
from apps.operations.bundles.isolation import pass_off_bundle
from tests.optional import needs

pytestmark = needs("apps.operations.isolation")


@pytest.fixture
def only_this_attack(monkeypatch):
    attacks = {"pass_off_bundle": pass_off_bundle}
    monkeypatch.setattr("apps.operations.isolation.proving.load_attacks", lambda: attacks)


@pytest.mark.usefixtures("acme", "globex", "only_this_attack")
def test_no_bundle_claims_another_tenants_schema(capsys):
    call_command("prove_isolation")

    assert "nothing leaks" in capsys.readouterr().out


@pytest.mark.usefixtures("acme", "globex", "only_this_attack")
def test_a_bundle_that_may_claim_any_schema_is_found(monkeypatch, capsys):
    monkeypatch.setattr(registration, "_find_false_names", lambda origin: [])

    with pytest.raises(CommandError, match="4 leaks, 0 attacks that are blind"):
        call_command("prove_isolation")

    assert "LEAK pass_off_bundle: globex reached what belongs to acme" in capsys.readouterr().out
