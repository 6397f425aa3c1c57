"""The task that is planted, and attacks on its result."""

from django.contrib.auth import get_user_model
from django.tasks import TaskResult, task
from django.tasks.exceptions import TaskResultDoesNotExist

from apps.operations.isolation.party import Party, plant_user


@task
def look_for_user(email: str) -> bool:
    """Return whether the tenant that the task carries has a user with this address."""
    return get_user_model()._default_manager.filter(email=email).exists()


def plant_task(party: Party) -> str:
    """Write a task that names the planted user; return its id. No worker sees it: it is rolled back."""
    return str(look_for_user.enqueue(party.of(plant_user).email).id)


def read_task_result(victim: Party, attacker: Party) -> bool | None:
    """The result of the victim's task, by its id; None for operators, who see all."""
    task_id = victim.of(plant_task)
    if attacker.tenant is None:
        return None
    try:
        return bool(look_for_user.get_result(task_id))
    except TaskResultDoesNotExist:
        return False


def refresh_carried_result(victim: Party, attacker: Party) -> bool | None:
    """A result that was loaded in the victim, read again; None for operators."""
    carried = victim.of(_get_result)
    if attacker.tenant is None:
        return None
    try:
        carried.refresh()
    except TaskResultDoesNotExist:
        return False
    return True


def _get_result(party: Party) -> TaskResult:
    return look_for_user.get_result(party.of(plant_task))


ATTACKS = [read_task_result, refresh_carried_result]
