import pytest
from django.core.management import CommandError, call_command

from tenants.context import tenant_context
from tenants.models import Tenant
from tests.models_app.models import Note


@pytest.fixture
def path(furnished, tmp_path):
    path = tmp_path / "acme.tar.gz"
    call_command("export_tenant", "acme", f"--to={path}")
    return path


def test_an_export_says_what_it_wrote_and_that_it_is_secret(furnished, tmp_path, capsys):
    path = tmp_path / "b.tar.gz"

    call_command("export_tenant", "acme", f"--to={path}")

    (line,) = capsys.readouterr().out.splitlines()

    assert line.startswith(f"{path}: ")
    assert ", 1 files, " in line
    assert line.endswith("It holds personal data and password hashes.")


def test_an_import_prints_the_address_and_what_became_of_the_keys(path, capsys):
    capsys.readouterr()

    call_command("import_tenant", path, "--subdomain=copy", "--name=Copy", "--owner-email=o@copy.example")

    address, keys, link = capsys.readouterr().out.splitlines()
    assert address == "Copy is at http://copy.localhost:8000/"
    assert keys == "1 API keys of the original are revoked here."
    assert link.startswith("o@copy.example sets a password at http://copy.localhost:8000/accounts/reset/")
    with tenant_context(Tenant.objects.get(subdomain="copy")):
        assert Note.objects.count() == 3


def test_a_moved_tenant_keeps_its_keys(path, capsys):
    capsys.readouterr()

    call_command("import_tenant", path, "--subdomain=copy", "--moved")

    assert capsys.readouterr().out.splitlines() == ["Acme is at http://copy.localhost:8000/"]


def test_hosts_of_its_own_are_named_and_not_taken_over(furnished, tmp_path, capsys):
    furnished.domains.create(domain="search.acme.example", is_primary=False)
    call_command("export_tenant", "acme", f"--to={tmp_path / 'b.tar.gz'}", verbosity=0)
    capsys.readouterr()

    call_command("import_tenant", tmp_path / "b.tar.gz", "--subdomain=copy", "--moved")

    assert capsys.readouterr().out.splitlines()[1] == (
        "It had other hosts, too: search.acme.example. Add them in the operators' admin."
    )


def test_a_check_says_what_would_be_and_makes_nothing(path, capsys, schemas):
    capsys.readouterr()

    call_command("import_tenant", path, "--check", "--subdomain=copy")

    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("acme.localhost as it was at ")
    assert first.endswith(" rows, 1 files.")
    assert second == "It fits, and would be at http://copy.localhost:8000/"
    assert "copy" not in schemas()


@pytest.mark.parametrize("options", [[], ["--check"]])
def test_what_does_not_fit_is_an_error_with_all_reasons(path, settings, options):
    del settings.EMBEDDINGS["custom"]

    with pytest.raises(CommandError) as caught:
        call_command("import_tenant", path, *options)

    assert str(caught.value).splitlines() == [
        f"{path} does not fit:",
        "tenant, subdomain: 'acme' is the subdomain of another tenant. Choose another one.",
        "EMBEDDINGS['custom']: it is missing; 3 documents have vectors of 'hashing:384'.",
    ]


def test_a_file_that_is_not_there_is_an_error(tmp_path, db):
    with pytest.raises(CommandError, match=r"was not imported: .*No such file"):
        call_command("import_tenant", tmp_path / "none.tar.gz")


def test_a_folder_that_is_not_there_is_an_error(acme, tmp_path):
    with pytest.raises(
        CommandError, match=rf"^--to: there is no folder '{tmp_path}/none'. Create it first\.$"
    ):
        call_command("export_tenant", "acme", f"--to={tmp_path / 'none/b.tar.gz'}")


def test_a_schema_that_no_tenant_has_is_an_error(acme, tmp_path):
    with pytest.raises(CommandError, match=r"No tenant has the schema 'nobody'\."):
        call_command("export_tenant", "nobody", f"--to={tmp_path / 'b.tar.gz'}")


def test_a_suspended_tenant_is_said_to_be_suspended(furnished, tmp_path, capsys):
    Tenant.objects.filter(pk=furnished.pk).update(state="suspended")
    call_command("export_tenant", "acme", f"--to={tmp_path / 'b.tar.gz'}")
    capsys.readouterr()

    call_command("import_tenant", tmp_path / "b.tar.gz", "--subdomain=copy", "--moved")

    assert capsys.readouterr().out.splitlines()[1] == (
        "It is suspended, as it was. Resume it in the operators' admin."
    )
