import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import DataError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import ApiKey
from tenants.context import NoTenantError, TenantMismatchError, owner_rights, tenant_context
from tests.models_app.models import Note

from .tasks import describe_binding


@pytest.fixture
def note(acme):
    with tenant_context(acme):
        return Note.objects.create(title="Of acme", body="x")


@pytest.fixture
def twin(globex, note):
    """The hardest case: a row of globex with the same key."""
    with tenant_context(globex):
        return Note.objects.create(pk=note.pk, title="Of globex", body="y")


@pytest.mark.parametrize(
    "query",
    [
        lambda: list(Note.objects.all()),
        lambda: Note.objects.count(),
        lambda: Note.objects.exists(),
        lambda: Note.objects.create(title="x", body="x"),
        lambda: Note.objects.update(title="x"),
        lambda: Note.objects.filter(title="x").delete(),
        lambda: Note.objects.bulk_create([Note(title="x", body="x")]),
        lambda: Note.objects.all()[:3].count(),
    ],
)
def test_without_a_tenant_there_is_no_query(acme, query):
    with CaptureQueriesContext(connection) as queries, pytest.raises(NoTenantError) as caught:
        query()

    assert not [each for each in queries.captured_queries if "notes_note" in each["sql"]]

    assert str(caught.value) == (
        "notes.Note belongs to a tenant, and none is bound. "
        "Wrap the call in `with tenant_context(tenant):` (from tenants.context)."
    )


@pytest.mark.parametrize(
    "use",
    [
        lambda note: note.save(),
        lambda note: note.delete(),
        lambda note: note.refresh_from_db(),
        lambda note: Note.objects.bulk_update([note], ["title"]),
        lambda note: Note.objects.bulk_create(
            [note], update_conflicts=True, unique_fields=["id"], update_fields=["title"]
        ),
    ],
)
def test_an_object_is_not_carried_into_another_tenant(note, twin, globex, use):
    note.title = "Overwritten"

    with tenant_context(globex), pytest.raises(TenantMismatchError) as caught:
        use(note)

    assert "belongs to the tenant with the schema 'acme', but 'globex' is bound" in str(caught.value)
    with tenant_context(globex):
        assert Note.objects.get(pk=twin.pk).title == "Of globex"


def test_a_deferred_field_is_not_read_from_another_tenant(note, twin, acme, globex):
    with tenant_context(acme):
        deferred = Note.objects.defer("body").get(pk=note.pk)

    with tenant_context(globex), pytest.raises(TenantMismatchError):
        _ = deferred.body


def test_an_object_is_used_in_its_own_tenant_again(note, acme, globex):
    with tenant_context(globex):
        pass

    with tenant_context(acme):
        note.title = "Changed"
        note.save()
        note.refresh_from_db()

    assert note.title == "Changed"


def test_what_runs_on_commit_runs_in_the_tenant_that_asked_for_it(
    acme, globex, django_capture_on_commit_callbacks
):
    seen = []

    with django_capture_on_commit_callbacks(execute=True), tenant_context(acme):
        transaction.on_commit(lambda: seen.append(connection.schema_name))
        connection.set_tenant(globex)

    assert seen == ["acme"]


def test_a_cursor_that_is_kept_follows_what_is_bound(acme, globex):
    seen = []

    with tenant_context(acme), owner_rights(), connection.cursor() as cursor:
        for tenant in (globex, acme):
            with tenant_context(tenant):
                cursor.execute("SELECT current_schema(), current_user = session_user")
                seen.append(cursor.fetchone())
    with tenant_context(acme), connection.cursor() as cursor, tenant_context(globex):
        cursor.execute("SELECT current_schema(), current_user = session_user")
        seen.append(cursor.fetchone())

    assert seen == [("globex", True), ("acme", True), ("globex", False)]


def divide_by_zero():
    with pytest.raises(DataError), connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")


def fail_within_a_block():
    with transaction.atomic():
        divide_by_zero()


def fail_without_autocommit():
    transaction.set_autocommit(False)
    divide_by_zero()
    transaction.commit()
    transaction.set_autocommit(True)


def fail_to_commit():
    transaction.set_autocommit(False)
    ApiKey.objects.bulk_create([ApiKey(user_id=0, prefix="x", digest="x")])
    with pytest.raises(IntegrityError, match="is not present in table"):
        transaction.commit()
    transaction.set_autocommit(True)


@pytest.mark.parametrize("swallow", [fail_within_a_block, fail_without_autocommit, fail_to_commit])
def test_a_swallowed_error_does_not_lead_back_to_the_tenant_before(acme, globex, committed, swallow):
    def visit_both():
        with tenant_context(acme):
            describe_binding()
        with tenant_context(globex):
            swallow()
            return describe_binding()

    assert committed(visit_both) == ["globex", "globex"]


def test_an_account_carried_into_another_tenant_is_neither_saved_nor_read_there(acme, globex):
    with tenant_context(acme):
        user = get_user_model().objects.create_user("ann@acme.example")
    with tenant_context(globex):
        twin = get_user_model().objects.create(pk=user.pk, email="bob@globex.example")

        for use in (user.save, user.delete, user.refresh_from_db):
            with pytest.raises(
                TenantMismatchError, match=r"accounts\.User belongs to .* 'acme', but 'globex'"
            ):
                use()
        twin.refresh_from_db()

    assert twin.email == "bob@globex.example"


def test_an_operator_is_not_carried_into_a_tenant(acme):
    operator = get_user_model().objects.create_superuser("operator@example.com")
    with tenant_context(acme):
        twin = get_user_model().objects.create_user("bob@acme.example", pk=operator.pk)

        for use in (operator.save, operator.delete, operator.refresh_from_db):
            with pytest.raises(TenantMismatchError, match="to no tenant, but to the schema 'public'"):
                use()
        twin.refresh_from_db()

    assert (twin.email, twin.is_superuser) == ("bob@acme.example", False)


def test_what_was_made_unbound_belongs_to_the_tenant_that_it_is_written_in(acme, globex):
    notes = [Note(title="Saved", body="x"), Note(title="Written", body="x")]

    with tenant_context(acme):
        notes[0].save()
        Note.objects.bulk_create(notes[1:])
        for note in notes:
            note.refresh_from_db()

    for note in notes:
        with tenant_context(globex), pytest.raises(TenantMismatchError, match="'acme', but 'globex'"):
            note.save()


def relate_to_many(user, group, key):
    group.user_set.add(user)


def relate_to_one(user, group, key):
    key.user = user


@pytest.mark.parametrize("relate", [relate_to_many, relate_to_one])
def test_objects_of_two_tenants_are_not_related(acme, globex, relate):
    with tenant_context(acme):
        user = get_user_model().objects.create_user("ann@acme.example")
    with tenant_context(globex):
        twin = get_user_model().objects.create_user("bob@globex.example", pk=user.pk)
        group = Group.objects.create(name="Those who may do everything")
        key, _ = ApiKey.objects.issue(twin, "export")

        with (
            pytest.raises(TenantMismatchError, match=r"'acme' cannot be related to a .* 'globex'"),
            transaction.atomic(),
        ):
            relate(user, group, key)

        assert not twin.groups.exists()
        assert key.user == twin
