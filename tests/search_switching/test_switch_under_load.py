"""A whole switch while a tenant searches and saves, and workers are killed."""

import random
import threading
import time

import pytest
from django.db import connection
from django_tasks_db.models import DBTaskResult

from apps.search import get_provider
from apps.search.searching.results import search_objects
from apps.search_switching.models import SpaceSwitch
from apps.search_switching.steps import end_switch, start_switch
from tenants.context import owner_rights, tenant_context, unbound
from tenants.models import Tenant
from tenants.provisioning.life_cycle import provision, register_tenant
from tests.embedders.stub_server import DIMENSIONS, StubServer
from tests.models_app.models import Note
from tests.registry import delete_tenant
from tests.workers import wait_until

OBJECTS = 100
KILLS = 2  # while each space is filled
WORDS = ["river", "copper", "window", "engine", "garden", "letter", "winter", "market"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1_200),
]  # a busy machine indexes hardly faster than it saves


@pytest.fixture
def stub():
    with StubServer() as server:
        yield server


@pytest.fixture
def variables(stub, settings):
    """Let this process and the workers know the third kind of embedder."""
    found = {
        "OPENAI_BASE_URL": stub.url,
        "OPENAI_MODEL": "stub",
        "OPENAI_DIMENSIONS": str(DIMENSIONS),
        "OPENAI_API_KEY": "none",
    }
    options = {"base_url": stub.url, "model": "stub", "dimensions": DIMENSIONS, "api_key": "none"}
    backend = "apps.search.embedders.openai_compatible.OpenAICompatibleEmbedder"
    space = {"BACKEND": backend, "MODEL": "pgvector.PgVectorEmbedding", "OPTIONS": options}
    settings.EMBEDDINGS = settings.EMBEDDINGS | {"openai": space}
    return found


@pytest.fixture
def moving(committed):
    """A tenant that others can see, with notes."""

    def make():
        tenant = register_tenant(name="Moving", subdomain="moving", owner_email="o@x.example", space="fast")
        provision(tenant)
        with tenant_context(tenant):
            for number in range(OBJECTS):
                Note.objects.create(title=f"title{number}", body=write())
        return tenant

    tenant = committed(make)
    yield tenant
    committed(lambda: delete_tenant(Tenant.objects.get(pk=tenant.pk)))
    committed(lambda: DBTaskResult.objects.all().delete())


def write():
    return " ".join(random.choices(WORDS, k=12))


class Load(threading.Thread):
    """Does something again and again in a session of its own; `faults` are what went wrong."""

    def __init__(self, tenant, act):
        super().__init__(daemon=True)
        self.tenant, self.act = tenant, act
        self.faults, self.count = [], 0
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.wait(0.02):
            try:
                with unbound():
                    tenant = Tenant.objects.get(pk=self.tenant.pk)  # as each request does
                with tenant_context(tenant):
                    self.act()
                self.count += 1
            except Exception as error:
                self.faults.append(repr(error))
        connection.close()

    def stop(self):
        self.stopping.set()
        self.join()


def search():
    assert search_objects(random.choice(WORDS), "notes", 5), "nothing was found"


def save():
    kind = random.random()
    if kind < 0.2:
        Note.objects.create(title="added", body=write())
    elif kind < 0.3:
        Note.objects.filter(
            pk=random.choice(list(Note.objects.values_list("pk", flat=True)))
        ).first().delete()
    else:
        note = Note.objects.order_by("?").first()
        note.body = write()
        note.save()
    time.sleep(0.1)


def is_idle():
    """Nothing is to be indexed; what is to be cleaned up later may wait."""
    tasks = DBTaskResult.objects.exclude(status__in=["SUCCESSFUL", "FAILED"])
    cleaning = (
        "apps.search.indexing.tasks.maintain_vector_indexes",
        "apps.search_switching.dropping.drop_documents",
    )
    return not tasks.exclude(task_path__in=cleaning).exists()


def get_state(tenant):
    with tenant_context(tenant), owner_rights():
        return SpaceSwitch.objects.latest("pk").state


def read_stored(tenant, space):
    with tenant_context(tenant):
        rows = get_provider("notes", space=space).objects
        return sorted(rows.values_list("document_key", "content"))


def read_truth(tenant):
    with tenant_context(tenant):
        return sorted(
            (f"notes.note:{pk}:0", f"{title}\n\n{body}")
            for pk, title, body in Note.objects.values_list("pk", "title", "body")
        )


@pytest.mark.parametrize("way", [["openai", "custom"]], ids=" to ".join)
def test_nothing_fails_or_is_lost_while_a_tenant_switches(moving, committed, start_worker, variables, way):
    worker = start_worker(**variables)
    wait_until(lambda: committed(is_idle))
    loads = [Load(moving, search), Load(moving, search), Load(moving, save)]
    for load in loads:
        load.start()

    for target in way:
        committed(switch, moving, target)
        for _ in range(KILLS):
            time.sleep(random.uniform(0.2, 1.5))
            worker.kill()
            worker.wait()
            worker = start_worker(**variables)
        wait_until(lambda: committed(get_state, moving) == "switched", patience=400)
        if target == way[-1]:
            break
        committed(finish, moving)

    for load in loads:
        load.stop()
    wait_until(lambda: committed(is_idle), patience=400)
    worker.kill()
    assert [load.faults for load in loads] == [[], [], []]
    assert min(load.count for load in loads) > 10
    truth = committed(read_truth, moving)
    assert committed(read_stored, moving, way[-1]) == truth
    assert committed(read_stored, moving, way[-2]) == truth
    assert committed(lambda: Tenant.objects.get(pk=moving.pk).space) == way[-1]
    assert not committed(lambda: DBTaskResult.objects.filter(status="FAILED").exists())


def switch(tenant, target):
    with unbound():
        tenant = Tenant.objects.get(pk=tenant.pk)
    with tenant_context(tenant):
        start_switch(target, is_automatic=True)


def finish(tenant):
    with tenant_context(tenant), owner_rights():
        end_switch(SpaceSwitch.objects.latest("pk"))
