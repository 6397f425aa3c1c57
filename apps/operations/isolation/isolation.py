"""Attacks that every installation has to withstand, whatever its apps are."""

from apps.operations.isolation import database, pool, process, tasks

ATTACKS = [*database.ATTACKS, *process.ATTACKS, *tasks.ATTACKS, *pool.ATTACKS]
