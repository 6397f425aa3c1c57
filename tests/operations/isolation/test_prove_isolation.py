import json
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test.utils import isolate_apps
from django_tasks_db.models import DBTaskResult

from apps.accounts.access import rate_limits
from apps.accounts.isolation import meet_others_limit
from apps.operations.deletion.scheduling import schedule_deletion
from apps.operations.isolation import isolation, proving
from apps.operations.isolation.database import read_row_counts, take_lock_of_victim, use_session_of_victim
from apps.operations.isolation.pool import ATTACKS as POOL_ATTACKS
from apps.operations.isolation.process import CACHE_KEY
from apps.operations.isolation.proving import load_attacks
from apps.operations.isolation.tasks import ATTACKS as TASK_ATTACKS
from apps.search.isolation import get_filler
from tenants.context import tenant_context
from tenants.models import Tenant
from tenants.postgresql import base
from tests.models_app.models import Note

SHARED = {}


def read_module_cache(victim, attacker):
    """A leak: what one tenant remembers, the process remembers for all."""
    SHARED[victim.of(plant_token)] = True
    return victim.token in SHARED


def plant_token(party):
    return party.token


def read_nothing(victim, attacker):
    return False


def read_users(victim, attacker):
    return None


def raise_fault(victim, attacker):
    raise ZeroDivisionError("the attack itself is at fault")


@pytest.fixture
def attack_by_only(monkeypatch):
    def choose(*attacks):
        chosen = {attack.__name__: attack for attack in attacks}
        monkeypatch.setattr(proving, "load_attacks", lambda: chosen)

    return choose


def prove(**options):
    out = StringIO()
    call_command("prove_isolation", stdout=out, **options)
    return out.getvalue()


def test_nothing_leaks_between_two_tenants_and_none(acme, globex, tmp_path):
    out = prove(json=tmp_path / "report.json", attempts=True)

    report = json.loads((tmp_path / "report.json").read_text())
    assert "2 tenants, " in out
    assert "nothing leaks" in out
    assert "public attacks acme" in out
    assert (report["is_proof"], report["leaks"], report["blind"]) == (True, [], [])
    assert report["schemas"] == ["acme", "globex", "public"]


@pytest.mark.parametrize("name", ["", "none/report.json"])
def test_a_report_that_cannot_be_written_is_refused_before_the_proof(acme, tmp_path, monkeypatch, name):
    command = "apps.operations.isolation.management.commands.prove_isolation"
    monkeypatch.setattr(f"{command}.prove", None)

    with pytest.raises(CommandError, match=r"^--json: .* is not a file in a folder that exists"):
        prove(json=tmp_path / name)


def test_every_attack_is_tried_by_the_other_tenant_and_unbound(acme, globex, tmp_path):
    prove(json=tmp_path / "report.json")

    attacks = json.loads((tmp_path / "report.json").read_text())["attacks"]
    tried = {attack["attack"]: attack["tried"] for attack in attacks}
    only_from_tenants = ["read_users_by_named_schema", "read_registry", "read_queue"]
    only_from_tenants += ["read_task_result", "refresh_carried_result", "write_task_for_victim"]
    only_from_tenants += ["read_row_counts", "take_lock_of_victim"]
    assert tried.keys() == load_attacks().keys()
    assert {name for name, times in tried.items() if times != 4} == set(only_from_tenants)
    assert {tried[name] for name in only_from_tenants} == {2}


def test_the_databases_refusal_counts_only_where_there_are_roles(acme, globex, settings, tmp_path):
    settings.TENANT_ROLES = False

    prove(json=tmp_path / "report.json")

    attacks = json.loads((tmp_path / "report.json").read_text())["attacks"]
    assert {attack["tried"] for attack in attacks if attack["attack"] in ("read_registry", "read_queue")} == {
        0
    }


def test_a_leak_is_named_with_both_tenants_but_not_what_leaked(acme, globex, attack_by_only, tmp_path):
    attack_by_only(read_module_cache)
    SHARED.clear()
    out = StringIO()

    with pytest.raises(CommandError, match="4 leaks, 0 attacks that are blind") as caught:
        call_command("prove_isolation", stdout=out, json=tmp_path / "report.json")

    report = json.loads((tmp_path / "report.json").read_text())
    assert caught.value.returncode == 1
    assert "LEAK read_module_cache: globex reached what belongs to acme" in out.getvalue()
    assert "LEAK read_module_cache: public reached what belongs to globex" in out.getvalue()
    assert {"attack": "read_module_cache", "victim": "acme", "attacker": "globex"} in report["leaks"]
    assert not [token for token in SHARED if token in out.getvalue() + json.dumps(report)]


def test_a_cache_without_the_tenant_in_its_keys_is_found(acme, globex, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

    with pytest.raises(CommandError, match="leaks"):
        prove()


def test_media_in_one_folder_is_found(acme, globex, settings):
    storage = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    settings.STORAGES = settings.STORAGES | {"default": storage}

    with pytest.raises(CommandError, match="leaks"):
        prove()


def test_a_task_backend_that_shows_all_results_is_found(acme, globex, settings, attack_by_only, capsys):
    settings.TENANT_ROLES = False
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    attack_by_only(*TASK_ATTACKS)

    with pytest.raises(CommandError, match="4 leaks, 0 attacks that are blind"):
        call_command("prove_isolation")

    assert "LEAK read_task_result: globex reached what belongs to acme" in capsys.readouterr().out


def test_a_queue_into_which_anybody_writes_is_found(acme, globex, attack_by_only, capsys):
    attack_by_only(*TASK_ATTACKS)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {DBTaskResult._meta.db_table} DISABLE ROW LEVEL SECURITY")

    with pytest.raises(CommandError, match="2 leaks, 0 attacks that are blind"):
        call_command("prove_isolation")

    assert "LEAK write_task_for_victim: globex reached what belongs to acme" in capsys.readouterr().out


def test_sessions_without_reset_are_found(acme, globex, attack_by_only, monkeypatch, capsys):
    attack_by_only(use_session_of_victim)
    monkeypatch.setattr(base.DatabaseWrapper, "_get_reset", lambda self: "")

    with pytest.raises(CommandError, match="4 leaks, 0 attacks that are blind"):
        call_command("prove_isolation")

    assert "LEAK use_session_of_victim: public reached what belongs to acme" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("attack", "grant"),
    [
        (read_row_counts, "SELECT (reltuples) ON pg_class"),
        (read_row_counts, "EXECUTE ON FUNCTION pg_total_relation_size(regclass)"),
        (take_lock_of_victim, "EXECUTE ON FUNCTION pg_try_advisory_xact_lock(int, int)"),
    ],
)
def test_functions_that_are_everybodys_are_found(acme, globex, attack_by_only, attack, grant):
    attack_by_only(attack)
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT {grant} TO PUBLIC")

    with pytest.raises(CommandError, match="2 leaks, 0 attacks that are blind"):
        prove()


def test_a_pool_without_reset_is_found(acme, globex, attack_by_only, monkeypatch, capsys):
    attack_by_only(*POOL_ATTACKS)
    monkeypatch.setattr(base, "with_reset", dict)

    with pytest.raises(CommandError, match="4 leaks, 0 attacks that are blind"):
        call_command("prove_isolation")

    assert "LEAK read_returned_session: globex reached what belongs to acme" in capsys.readouterr().out


def test_a_limit_that_tenants_share_is_found(acme, globex, settings, attack_by_only, monkeypatch, capsys):
    attack_by_only(meet_others_limit)
    settings.TENANT_ROLES = False  # a tenant's role would be refused
    in_public = rate_limits.COUNT.replace("accounts_trycount", "public.accounts_trycount")
    monkeypatch.setattr(rate_limits, "COUNT", in_public)

    with pytest.raises(CommandError, match="0 attacks that are blind"):
        call_command("prove_isolation")

    assert "LEAK meet_others_limit: globex reached what belongs to acme" in capsys.readouterr().out


def test_a_leaving_tenant_is_not_attacked(acme, globex, tmp_path):
    schedule_deletion(acme)

    prove(json=tmp_path / "report.json")

    assert json.loads((tmp_path / "report.json").read_text())["schemas"] == ["globex", "public"]


def test_objects_that_may_be_carried_over_are_found(acme, globex, settings, capsys):
    settings.DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]

    with pytest.raises(CommandError, match="leaks"):
        call_command("prove_isolation")

    assert "LEAK save_carried_object: globex reached what belongs to acme" in capsys.readouterr().out


def test_an_attack_that_finds_nothing_at_home_proves_nothing(acme, globex, attack_by_only, capsys):
    attack_by_only(read_nothing)

    with pytest.raises(CommandError, match="0 leaks, 2 attacks that are blind"):
        call_command("prove_isolation")

    assert "BLIND read_nothing: acme does not find what is its own" in capsys.readouterr().out


def test_a_fault_of_an_attack_is_not_taken_for_a_refusal(acme, globex, attack_by_only):
    attack_by_only(raise_fault)

    with pytest.raises(ZeroDivisionError, match="the attack itself is at fault"):
        prove()


def test_nothing_is_left_behind(acme, globex, own_media):
    prove()

    left = []
    for tenant in (acme, globex):
        with tenant_context(tenant):
            left += [
                Note.objects.count(),
                get_user_model().objects.filter(name__contains="canary").count(),
            ]
            left.append(cache.get(CACHE_KEY))
    assert left == [0, 0, None] * 2
    assert not DBTaskResult.objects.exists()
    assert not [path for path in own_media.rglob("*") if path.is_file()]
    assert connection.schema_name == "public"


def test_a_model_may_say_how_its_canary_is_made(acme, globex, monkeypatch):
    tokens = []

    def make_canary(token):
        tokens.append(token)
        return Note.objects.create(title=token, body="from the model itself")

    monkeypatch.setattr(Note, "make_canary", make_canary, raising=False)

    assert "nothing leaks" in prove()
    assert len(set(tokens)) == 2


@isolate_apps("tenants")
def test_a_field_that_cannot_be_filled_is_named_with_what_to_do():
    class Child(models.Model):
        number = models.IntegerField()
        parent = models.ForeignKey("self", on_delete=models.CASCADE)

        class Meta:
            app_label = "tenants"

        def __str__(self):
            return str(self.number)

    assert get_filler(Child._meta.get_field("number"), "token") == 0
    with pytest.raises(
        ImproperlyConfigured, match=r"tenants\.Child\.parent is required.*make_canary\(token\)"
    ):
        get_filler(Child._meta.get_field("parent"), "token")


def test_only_the_chosen_tenants_are_attacked(acme, globex, tmp_path):
    prove(schema=["globex"], json=tmp_path / "report.json")

    report = json.loads((tmp_path / "report.json").read_text())
    assert report["schemas"] == ["globex", "public"]
    assert "1 tenants, " in prove(sample=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schema": ["nobody"]}, "--schema: no active tenant has the schema 'nobody'."),
        ({"sample": 0}, "--sample is 0; it must be 1 or more."),
    ],
)
def test_a_choice_that_cannot_be_is_refused(acme, options, message):
    with pytest.raises(CommandError, match=message):
        prove(**options)


def test_without_tenants_there_is_nothing_to_prove(db):
    Tenant.objects.update(state=Tenant.State.SUSPENDED)

    with pytest.raises(CommandError, match="There is no active tenant to attack"):
        prove()


def test_two_attacks_of_one_name_are_refused(monkeypatch):
    monkeypatch.setattr(isolation, "ATTACKS", [*isolation.ATTACKS, read_users])

    with pytest.raises(
        ImproperlyConfigured, match=r"named 'read_users'. Rename the one in apps.operations.isolation"
    ):
        load_attacks()
