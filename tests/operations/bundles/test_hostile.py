"""Archives that somebody made to do harm. None of them writes a byte outside, or makes a tenant."""

import gzip
import hashlib
import json
import tarfile
from contextlib import contextmanager

import pytest
from django_tasks_db.models import DBTaskResult

from apps.operations.bundles.archive import HEADERS
from apps.operations.bundles.importing import import_tenant
from apps.operations.bundles.manifest import BundleError
from tenants.models import Tenant
from tenants.queue.backend import SCHEMA_KEY

from .conftest import COPY, make_member, write_archive

WHATEVER = {"bytes": 1, "sha256": "0" * 64}


@pytest.fixture
def bundle(old_bundle):
    return old_bundle


@pytest.fixture
def refuse(own_media, schemas, tmp_path):
    """Import; return the reasons, and see that there is no tenant, no schema and no new file."""

    def look():
        paths = (path for path in tmp_path.rglob("*") if path.is_file() or "copy" in path.name)
        names = sorted(str(path) for path in paths if not path.name.endswith(".tar.gz"))
        return Tenant.objects.count(), schemas(), names

    def refuse(path, **options):
        before = look()
        with pytest.raises(BundleError) as caught:
            import_tenant(path, changes=COPY, **options)
        assert look() == before
        return caught.value.faults

    return refuse


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "../../globex/notes/x",
        "/etc/cron.d/x",
        "a/../../x",
        "a//b",
        "./a",
        "a/.",
        "",
        "a\\..\\b",
        "a\nb",
        "x" * 256,
    ],
)
def test_a_file_that_would_leave_its_folder(forge, refuse, name):
    path = forge(
        lambda manifest: manifest["files"].append({"name": name, **WHATEVER}),
        more=[make_member(f"media/{name}", b"x")],
    )

    (fault,) = refuse(path)

    assert fault.startswith(f"manifest.json: Value error, {name!r} ")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (tarfile.SYMTYPE, {"linkname": "/etc/passwd"}),
        (tarfile.LNKTYPE, {"linkname": "manifest.json"}),
        (tarfile.CHRTYPE, {"devmajor": 1, "devminor": 5}),
        (tarfile.BLKTYPE, {}),
        (tarfile.FIFOTYPE, {}),
        (tarfile.DIRTYPE, {}),
        (tarfile.GNUTYPE_SPARSE, {}),
        (tarfile.CONTTYPE, {}),
    ],
)
def test_a_member_that_is_no_plain_file(forge, refuse, kind, values):
    path = forge(
        lambda manifest: manifest["files"].append(WHATEVER | {"name": "x", "bytes": 0}),
        more=[make_member("media/x", type=kind, **values)],
    )

    assert refuse(path) == ["'media/x' is not a plain file, as every entry of a bundle must be."]


def test_a_sparse_file_in_disguise(forge, refuse):
    sparse = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,1,9999999999,1"}
    path = forge(
        lambda manifest: manifest["files"].append(WHATEVER | {"name": "x", "bytes": 2}),
        more=[make_member("media/x", b"ab", pax_headers=sparse)],
    )

    assert refuse(path) == ["'media/x' is not a plain file, as every entry of a bundle must be."]


def test_a_member_that_nobody_announced(forge, refuse):
    path = forge(more=[make_member("media/extra.txt", b"x")])

    assert refuse(path) == ["'media/extra.txt' is not in the manifest, or comes twice."]


def test_a_member_that_comes_twice(forge, members, refuse):
    name = "tables/accounts_user.copy"
    path = forge(more=[make_member(name, members[name])])

    assert refuse(path) == [f"'{name}' is not in the manifest, or comes twice."]


def test_a_member_that_is_announced_twice(forge, refuse):
    path = forge(lambda manifest: manifest["files"].append(manifest["files"][0]))

    (fault,) = refuse(path)

    assert fault.endswith("comes twice.")


def test_a_member_that_is_missing(forge, refuse):
    path = forge(lambda manifest: manifest["files"].append({"name": "gone.txt", **WHATEVER}))

    assert refuse(path) == ["'media/gone.txt' is missing."]


def test_a_member_that_is_larger_than_announced_is_not_unpacked(forge, members, refuse):
    name = "tables/notes_note.copy"

    def change(manifest):
        (entry,) = (entry for entry in manifest["tables"] if entry["name"] == "notes_note")
        entry["bytes"] = 10

    assert refuse(forge(change)) == [f"'{name}' has {len(members[name])} bytes, not 10."]


def test_a_header_that_wants_all_memory(forge, refuse):
    path = forge(more=[make_member("media/x", pax_headers={"comment": "x" * 2 * HEADERS})])

    assert refuse(path) == ["a header is larger than any that a bundle has."]


def test_a_member_of_negative_size(forge, refuse):
    path = forge(more=[make_member("media/x", pax_headers={"size": "-512"})])

    assert refuse(path) == ["'media/x' is not in the manifest, or comes twice."]


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b""), gzip.compress(b"no tar" * 1000), gzip.compress(b"\0" * 20_000)],
    ids=["empty", "text", "nothing", "no tar", "zeros"],  # what is compressed holds the time
)
def test_a_file_that_is_no_bundle(tmp_path, acme, refuse, content):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(content)

    (fault,) = refuse(path)

    assert fault.startswith(("no bundle, or damaged: ", "no bundle: it does not begin with"))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_bundle_that_was_cut_off(bundle, refuse, share):
    content = bundle.read_bytes()
    bundle.write_bytes(content[: int(len(content) * share)])

    (fault,) = refuse(bundle)

    assert "or damaged: " in fault or "missing" in fault


@pytest.mark.parametrize("place", [0.2, 0.6, 0.95])
def test_a_bundle_with_a_changed_byte(bundle, refuse, place):
    content = bytearray(bundle.read_bytes())
    content[int(len(content) * place)] ^= 0xFF
    bundle.write_bytes(content)

    assert refuse(bundle)


def test_an_archive_that_begins_with_something_else(members, tmp_path, refuse):
    path = write_archive(tmp_path / "x.tar.gz", [make_member(*each) for each in reversed(members.items())])

    assert refuse(path) == ["no bundle: it does not begin with manifest.json."]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"{", "manifest.json: Invalid JSON"),
        (b"[]", "manifest.json: Input should be an object"),
        (b"[" * 100_000, "manifest.json: Invalid JSON: recursion limit exceeded"),
        (b"{}", "manifest.json.format: Field required"),
        (b'{"format": 1}', "manifest.json.made_at: Field required"),
        (b'{"format": "1"}', "manifest.json: format '1'; this code reads format 1."),
        (
            b'{"format": 1, "x": "\\u0000"}',
            "manifest.json: it holds a NUL, which PostgreSQL allows in no text.",
        ),
        (b"\xff", "manifest.json: Invalid JSON"),
    ],
)
def test_a_manifest_that_is_none(tmp_path, acme, refuse, text, fault):
    path = write_archive(tmp_path / "x.tar.gz", [make_member("manifest.json", text)])

    assert refuse(path)[0].startswith(fault)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"made_at": "yesterday"}, "manifest.json.made_at: Input should be a valid datetime"),
        ({"extra": 1}, "manifest.json.extra: Extra inputs are not permitted"),
        (
            {"sequences": {"s": {"last_value": 2**63, "is_called": True}}},
            "manifest.json.sequences.s.last_value",
        ),
        ({"tables": [{"name": "x", "columns": {}, "rows": -1, **WHATEVER}]}, "manifest.json.tables.0.rows"),
        ({"files": [{"name": "x", "bytes": 1, "sha256": "no"}]}, "manifest.json.files.0.sha256"),
    ],
)
def test_a_manifest_with_a_value_of_the_wrong_kind(forge, refuse, change, fault):
    assert refuse(forge(lambda manifest: manifest.update(change)))[0].startswith(fault)


def test_a_manifest_says_which_of_its_values_are_wrong_and_not_what_they_are(forge, refuse):
    path = forge(lambda manifest: manifest["tenant"].update(state="secret"))

    (fault,) = refuse(path)

    assert fault == "manifest.json.tenant.state: Input should be 'active' or 'suspended'"


def set_rows(members, table, rows):
    members[f"tables/{table}.copy"] = rows


def test_fewer_rows_than_announced(forge, members, refuse):
    set_rows(members, "auth_group", b"")

    assert refuse(forge()) == ["table auth_group: its rows are not those of the manifest."]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (b"x\tEditors\n", "table auth_group: PostgreSQL refuses it (InvalidTextRepresentation: )."),
        (b"1\t\\N\n", "table auth_group: PostgreSQL refuses it (NotNullViolation: auth_group name)."),
        (b"1\n", "table auth_group: PostgreSQL refuses it (BadCopyFileFormat: )."),
        (b"1\t\xff\n", "table auth_group: PostgreSQL refuses it (CharacterNotInRepertoire: )."),
        (b"1\tsecret\n1\tsecret\n", "table auth_group: PostgreSQL refuses it (UniqueViolation: auth_group"),
    ],
)
def test_rows_that_postgresql_refuses(forge, members, refuse, row, fault):
    set_rows(members, "auth_group", row)

    (found,) = refuse(forge())

    assert found.startswith(fault)
    assert "secret" not in found


@pytest.mark.timeout(60)
def test_a_huge_value_that_postgresql_refuses(forge, members, refuse):
    # PostgreSQL quotes it, and reads nothing more until somebody has read that.
    set_rows(members, "auth_group", b"x" * 3_000_000 + b"\tEditors\n" + b"2\t" + b"y" * 3_000_000 + b"\n")

    assert refuse(forge()) == ["table auth_group: PostgreSQL refuses it (InvalidTextRepresentation: )."]


def test_rows_that_refer_to_nothing(forge, members, refuse):
    set_rows(members, "auth_group_permissions", b"1\t987654\t987654\n")

    (fault,) = refuse(forge())

    assert fault.startswith("rows: PostgreSQL refuses it (ForeignKeyViolation: auth_group_permissions")


def test_a_sequence_beyond_its_end(forge, refuse):
    beyond = {"last_value": 0, "is_called": False}
    path = forge(lambda manifest: manifest["sequences"].update(auth_group_id_seq=beyond))

    (fault,) = refuse(path)

    assert fault.startswith("sequence auth_group_id_seq: PostgreSQL refuses it")


def test_a_task_for_another_tenant_becomes_the_copys_own(forge, globex):
    task = {
        "path": "apps.search.indexing.tasks.index_by_keys",
        "args": ["notes.note", [1]],
        "kwargs": {SCHEMA_KEY: "globex"},
    }

    import_tenant(forge(lambda manifest: manifest["tasks"].append(task)), changes=COPY)

    schemas = {row.args_kwargs["kwargs"][SCHEMA_KEY] for row in DBTaskResult.objects.all()}
    assert "copy" in schemas
    assert "globex" not in schemas


def test_sessions_that_come_along(forge, refuse):
    session = b"abcdefghijklmnopqrstuvwxyz012345\te30\t2099-01-01 00:00:00+00\n"
    columns = {
        "session_key": "character varying(40) NOT NULL",
        "session_data": "text NOT NULL",
        "expire_date": "timestamp with time zone NOT NULL",
    }
    digest = hashlib.sha256(session).hexdigest()
    table = {"name": "django_session", "columns": columns, "rows": 1, "bytes": len(session), "sha256": digest}

    def change(manifest):
        manifest["left_out"] = []
        manifest["tables"].append(table)

    assert refuse(forge(change, more=[make_member("tables/django_session.copy", session)])) == [
        "table django_session: its rows must stay behind (EXCLUDE of a bundle.py), but the bundle has them."
    ]


def test_a_table_that_is_said_to_be_left_out_and_is_not_here(forge, members, refuse):
    del members["tables/accounts_apikey.copy"]

    def change(manifest):
        manifest["left_out"].append("accounts_apikey")
        manifest["sequences"].pop("accounts_apikey_id_seq")

    path = forge_without(forge, members, "accounts_apikey", change)

    assert refuse(path) == [
        "table accounts_apikey: a migration here makes it, but it is missing.",
        "sequence accounts_apikey_id_seq: it is missing.",
    ]


def forge_without(forge, members, table, change):
    """Forge a bundle without a table, which `forge` would miss among the members."""
    manifest = json.loads(members["manifest.json"])
    manifest["tables"] = [entry for entry in manifest["tables"] if entry["name"] != table]
    members["manifest.json"] = json.dumps(manifest).encode()
    return forge(change)


def test_migrations_that_the_rows_do_not_have(forge, members, refuse):
    name = "django_migrations"
    set_rows(members, name, members[f"tables/{name}.copy"].replace(b"0001_initial", b"0001_changed", 1))

    assert refuse(forge()) == ["table django_migrations: its rows are not the migrations of the manifest."]


@pytest.mark.parametrize("name", ["public", "pg_catalog", "Acme", "a;b", "template_tenant", "", "a" * 49])
def test_a_schema_that_no_tenant_can_have(forge, refuse, name):
    (fault,) = refuse(forge(lambda manifest: manifest["tenant"].update(schema_name=name)))

    assert fault.startswith(f"tenant, schema_name: {name!r} is not a valid schema name")


def test_another_tenants_schema(globex, forge, refuse):
    assert refuse(forge(lambda manifest: manifest["tenant"].update(schema_name="globex"))) == [
        "tenant, schema_name: 'globex' is another tenant's here than 'acme.localhost': "
        "the bundle was forged, or the host has changed hands since."
    ]


@pytest.mark.parametrize("host", ["localhost", "x\x1b[2Jy.example", "http://x", ""])
@pytest.mark.parametrize("where", ["hostname", "domains"])
def test_a_host_that_no_tenant_can_have(forge, refuse, where, host):
    value = [host] if where == "domains" else host

    (fault,) = refuse(forge(lambda manifest: manifest["tenant"].update({where: value})))

    assert fault.startswith(f"tenant, domains: {host!r} is ")


def test_names_that_would_steer_a_terminal(forge, refuse):
    path = forge(
        lambda manifest: manifest["sequences"].update({"\x1b[2J": {"last_value": 1, "is_called": True}})
    )

    assert refuse(path) == ["sequence \\x1b[2J: no migration here makes it."]


def test_a_version_of_endless_digits(forge, refuse):
    (fault,) = refuse(forge(lambda manifest: manifest["versions"].update(pgvector="9" * 5000)))

    assert fault == "manifest.json.versions.pgvector: String should have at most 200 characters"


@pytest.fixture
def exchange(tmp_path):
    """Give a Bar that puts another archive into the place of one once that was checked."""

    def exchange(original, other):
        @contextmanager
        def bar(label, total):
            if label == "importing":
                other.replace(original)
            yield lambda count: None

        return bar

    return exchange


def test_a_bundle_that_is_exchanged_after_it_was_checked(bundle, forge, refuse, exchange):
    other = forge(lambda manifest: manifest["tenant"].update(domains=[]))

    assert refuse(bundle, bar=exchange(bundle, other)) == ["acme.tar.gz was changed while it was read."]


def test_rows_that_are_exchanged_after_they_were_checked(bundle, members, tmp_path, refuse, exchange):
    set_rows(members, "auth_group", members["tables/auth_group.copy"].replace(b"Editors", b"Authors"))
    other = write_archive(tmp_path / "x.tar.gz", [make_member(*each) for each in members.items()])

    faults = refuse(bundle, bar=exchange(bundle, other))

    assert faults == ["table auth_group: its rows are not those of the manifest."]
