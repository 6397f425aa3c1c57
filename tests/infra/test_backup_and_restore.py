import pytest

from tests.infra.conftest import NOTES
from tests.infra.house import ScriptError


def search(house, schema):
    return house.manage("search", f"--schema={schema}", "--mode=hybrid", NOTES[schema])


def test_the_bootstrap_may_run_twice(house):
    house.bootstrap()

    assert house.query("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user") == ["f|t"]
    may = "has_function_privilege({}, 'set_config(text, text, boolean)', 'EXECUTE')"
    assert house.query(f"SELECT {may.format('current_user')}, {may.format("'public'")}") == ["t|f"]
    assert "bicycle" in search(house, "acme")


def test_a_tenant_goes_back_to_its_dump_and_no_other_does(house, tmp_path):
    (dump,) = house.back_up(tmp_path, "acme")
    house.query("DELETE FROM acme.notes_note")
    house.query("DELETE FROM acme.pgvector_pgvectorembedding")
    house.query("UPDATE globex.notes_note SET title = 'changed since'")

    house.restore("--replace", dump)
    house.manage("migrate_schemas", "--schema=acme", "--verbosity=0")
    house.manage("doctor", "--schema=acme", "--fix")

    assert "bicycle" in search(house, "acme")
    assert "changed since" in search(house, "globex")
    (replaced,) = house.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'acme\\_replaced%'")
    assert house.query(f"SELECT count(*) FROM {replaced}.notes_note") == ["0"]


def test_a_house_is_restored_on_a_new_server(house, make_house, tmp_path):
    files = house.back_up(tmp_path)
    new = make_house("new_house")

    for path in sorted(files, key=lambda path: path.stem != "public"):
        new.restore(path)
    new.manage("migrate_schemas", "--verbosity=0")
    new.manage("tenant_roles", "--repair")

    assert {path.stem for path in files} == {"public", *NOTES}
    assert "bicycle" in search(new, "acme")
    assert "mountains" in search(new, "globex")
    new.manage("doctor")


def test_a_tenant_is_not_restored_over_one_that_is_there(house, tmp_path):
    (dump,) = house.back_up(tmp_path, "globex")

    with pytest.raises(ScriptError, match=r"globex has \d+ tables\. .* use --replace"):
        house.restore(dump)


def test_a_damaged_dump_changes_nothing(house, tmp_path):
    (dump,) = house.back_up(tmp_path, "globex")
    dump.write_bytes(dump.read_bytes()[:-2000])
    before = house.query("SELECT nspname FROM pg_namespace ORDER BY 1")

    with pytest.raises(ScriptError, match="pg_restore"):
        house.restore("--replace", dump)

    assert house.query("SELECT nspname FROM pg_namespace ORDER BY 1") == before
    assert "mountains" in search(house, "globex")


def test_a_backup_goes_on_after_a_schema_that_fails(house, tmp_path):
    with pytest.raises(ScriptError, match="no_such_schema: not dumped"):
        house.back_up(tmp_path, "no_such_schema", "globex")

    assert [path.name for path in tmp_path.glob("*/*")] == ["globex.dump"]
