"""A tenant with something in every table and folder, and bundles that are made by hand."""

import gzip
import hashlib
import io
import json
import tarfile

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.files.base import ContentFile

from apps.accounts.models import ApiKey
from apps.operations.bundles.exporting import export_tenant
from apps.search.indexing.batches import rebuild_index
from tenants.context import tenant_context
from tests.models_app.models import Note
from tests.search.embedder import BACKEND, HashingEmbedder

COPY = {"subdomain": "copy", "name": "Copy"}
PASSWORD = "correct horse 7 battery"
TEXTS = {
    "Tides": "The sea rises and falls twice a day because the moon pulls at the water.",
    "Bread": "Flour, water, salt and yeast: knead the dough, let it rise,\nbake it hot.\t\\N \\.",
    "Bicycles": "Two wheels, a chain and a saddle; “who rides one” needs no fuel. Ünïcødé €",
}


@pytest.fixture(autouse=True)
def embedder(settings):
    settings.EMBEDDINGS = {
        "default": {"BACKEND": BACKEND, "MODEL": "pgvector.PgVectorEmbedding"},
        "custom": {
            "BACKEND": BACKEND,
            "MODEL": "notes.NoteEmbedding",
            "OPTIONS": {"dimensions": 384},
        },
    }
    HashingEmbedder.reset()
    yield HashingEmbedder
    HashingEmbedder.reset()


@pytest.fixture
def furnished(acme):
    """acme with members, a group, a key, three indexed notes in two spaces, and an upload."""
    with tenant_context(acme):
        member = get_user_model().objects.create_user("mia@acme.example", PASSWORD, name="Mia")
        group = Group.objects.create(name="Editors")
        group.permissions.add(Permission.objects.get(codename="add_note"))
        member.groups.add(group)
        acme.plain_key = ApiKey.objects.issue(member, "nightly")[1]
        for title, body in TEXTS.items():
            Note.objects.create(title=title, body=body, key=title.lower())
        Note.objects.get(key="bread").upload.save("Recipe.txt", ContentFile(b"500 g flour\0\xff"))
        for space in ("default", "custom"):
            rebuild_index("notes", space=space)
    return acme


@pytest.fixture
def new_bundle(furnished, tmp_path):
    path = tmp_path / "acme.tar.gz"
    export_tenant(furnished, path)
    return path


@pytest.fixture
def bundle(new_bundle):
    return new_bundle


@pytest.fixture(scope="session")
def kept():
    return {}


@pytest.fixture
def old_bundle(kept, request, acme, tmp_path):
    """The bundle that another test made: sooner there, where the tenant that is in it does not matter."""
    path = tmp_path / "acme.tar.gz"
    if "bundle" in kept:
        path.write_bytes(kept["bundle"])
    else:
        kept["bundle"] = request.getfixturevalue("new_bundle").read_bytes()
    return path


@pytest.fixture
def members(bundle):
    """The bundle's members by name, to be changed and written again by `forge`."""
    with tarfile.open(bundle) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


@pytest.fixture
def forge(members, tmp_path):
    """Write a bundle whose manifest was changed by a function; hashes and sizes are made right again."""

    def forge(change=lambda manifest: None, *, more=()):
        manifest = json.loads(members["manifest.json"])
        for entry in (*manifest["tables"], *manifest["files"]):
            folder, ending = ("tables/", ".copy") if "rows" in entry else ("media/", "")
            content = members[f"{folder}{entry['name']}{ending}"]
            entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        change(manifest)
        plain = members | {"manifest.json": json.dumps(manifest).encode()}
        return write_archive(
            tmp_path / "forged.tar.gz", [*map(make_member, *zip(*plain.items(), strict=True)), *more]
        )

    return forge


def make_member(name, content=b"", **values):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in values.items():
        setattr(info, attribute, value)
    return info, content


def write_archive(path, members):
    with gzip.open(path, "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else content)
    return path
