"""The task that is planted, and run."""

from django.contrib.auth import get_user_model
from django.tasks import task

from tenants.isolation.party import Party, plant_user


@task
def look_for_user(email: str) -> bool:
    """Return whether the tenant that the task carries has a user with this address."""
    return get_user_model()._default_manager.filter(email=email).exists()


def plant_task(party: Party) -> str:
    """Write a task that names the planted user; return its id. It is rolled back before a worker sees it."""
    return str(look_for_user.enqueue(party.of(plant_user).email).id)
