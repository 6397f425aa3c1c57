import re

import pytest
import yaml
from django.conf import settings

from tests.test_settings import read_example

OWN = {"EMBEDDED_POSTGRES_DIR"}  # of a PostgreSQL that is in no image


def load(name):
    return yaml.safe_load((settings.BASE_DIR / name).read_text())


@pytest.mark.parametrize("service", ["migrate", "web", "worker"])
def test_every_variable_of_the_example_reaches_the_containers(service):
    passed_on = load("docker-compose.yml")["services"][service]["environment"]

    assert set(passed_on) == set(read_example()) - OWN


def test_production_has_no_default_for_a_secret():
    overlay = load("infra/compose.production.yml")["services"]

    secrets = [
        overlay["web"]["environment"]["SECRET_KEY"],
        overlay["web"]["environment"]["ENCRYPTION_KEYS"],
        overlay["db"]["environment"]["POSTGRES_PASSWORD"],
        overlay["db"]["environment"]["APP_PASSWORD"],
    ]
    assert all(re.fullmatch(r"\$\{\w+:\?.+\}", secret) for secret in secrets)


def test_the_database_has_locks_for_many_tenants_and_memory_for_parallel_index_builds():
    database = load("docker-compose.yml")["services"]["db"]
    options = dict(option.removeprefix("--").split("=") for option in database["command"][1:])

    memory = int(options["maintenance_work_mem"].removesuffix("MB"))
    assert int(options["max_locks_per_transaction"]) >= 256
    assert int(database["shm_size"].removesuffix("m")) > memory > 64


def test_files_that_the_containers_mount_exist():
    services = [
        service
        for name in ("docker-compose.yml", "infra/compose.production.yml")
        for service in load(name)["services"].values()
    ]

    mounted = {
        volume.partition(":")[0]
        for service in services
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    }
    assert {"./infra/postgres", "./infra/Caddyfile"} <= mounted
    assert [path for path in mounted if not (settings.BASE_DIR / path).exists()] == []
