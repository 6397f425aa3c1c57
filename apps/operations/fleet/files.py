"""The migration files, read once; every tenant gets a graph of its own over them.

Django reads them for each database again and reloads their packages: that is slow with thousands of schemas
and not safe with several threads.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from django.conf import settings
from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import transaction
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import AmbiguityError, MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from tenants.placement import list_labels

Key = tuple[str, str]  # app label and name of a migration
Plan = tuple[tuple[Migration, bool], ...]  # each with whether it is unapplied


class MigrationFiles:
    """All migrations of settings.INSTALLED_APPS as they are on disk now."""

    def __init__(self) -> None:
        loader = MigrationLoader(None, load=False)
        loader.load_disk()
        self.migrations: dict[Key, Migration] = loader.disk_migrations
        self.unmigrated_apps: set[str] = loader.unmigrated_apps
        self.migrated_apps: set[str] = loader.migrated_apps


class Sharing(NamedTuple):
    """What the executors of a fleet share: the files, and the lock_timeout in milliseconds."""

    files: MigrationFiles
    lock_timeout: int


# None: executors read the files themselves and set no time-out, as Django does.
sharing: ContextVar[Sharing | None] = ContextVar("sharing", default=None)
# The migration at work in this context; after a failure the one that failed.
current_migration: ContextVar[Migration | None] = ContextVar("current_migration", default=None)


class FleetLoader(MigrationLoader):
    """Django's loader, with files that have been read already."""

    def __init__(self, connection: Any, files: MigrationFiles) -> None:
        self.files = files
        super().__init__(connection)

    def load_disk(self) -> None:
        """Take the shared files instead of reading them.

        The migrations are new objects, because pre_migrate receivers insert operations into them (Django does
        so for RenameModel), which must not be there for the next tenant.
        """
        self.disk_migrations = {
            key: type(migration)(migration.name, migration.app_label)
            for key, migration in self.files.migrations.items()
        }
        self.unmigrated_apps = set(self.files.unmigrated_apps)
        self.migrated_apps = set(self.files.migrated_apps)


class FleetExecutor(MigrationExecutor):
    """Django's executor, which takes shared files from its context and notes the current migration."""

    def __init__(self, connection: Any, progress_callback: Any = None) -> None:
        self._shared = sharing.get()
        if self._shared is None:
            super().__init__(connection, progress_callback)
            return
        self.connection = connection
        self.loader = FleetLoader(connection, self._shared.files)
        self.recorder = MigrationRecorder(connection)
        self.progress_callback = progress_callback

    def apply_migration(self, state: Any, migration: Migration, *args: Any, **kwargs: Any) -> Any:
        """Apply it, and write its row of django_migrations in the same transaction.

        Django writes the row afterwards if a migration defers SQL to its end. If it is killed in between, the
        next run would make the same tables again.
        """
        with self._doing(migration):
            return super().apply_migration(state, migration, *args, **kwargs)

    def unapply_migration(self, state: Any, migration: Migration, *args: Any, **kwargs: Any) -> Any:
        """Unapply it, with the row in the same transaction."""
        with self._doing(migration):
            return super().unapply_migration(state, migration, *args, **kwargs)

    @contextmanager
    def _doing(self, migration: Migration) -> Iterator[None]:
        current_migration.set(migration)
        if self._shared is None:
            yield
        elif migration.atomic:
            with transaction.atomic(self.connection.alias):
                yield
        else:
            # CREATE INDEX CONCURRENTLY blocks nobody while it waits; cut short, it leaves an invalid index.
            self._set_lock_timeout(0)
            yield
            self._set_lock_timeout(self._shared.lock_timeout)
        current_migration.set(None)

    def _set_lock_timeout(self, milliseconds: int) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {milliseconds}")


setattr(migrate, "MigrationExecutor", FleetExecutor)  # noqa: B010 - the command has no hook for its class


class _PlanningLoader(FleetLoader):
    """A loader that is told which migrations are applied, instead of asking a database."""

    def __init__(self, files: MigrationFiles, applied: Iterable[Key]) -> None:
        self._recorded = frozenset(applied)
        super().__init__(None, files)

    @property
    def applied_migrations(self) -> dict[Key, Any]:
        return self._applied

    @applied_migrations.setter
    def applied_migrations(self, value: Any) -> None:
        # build_graph sets it to {} without a connection, and then works on it: each time a fresh copy.
        self._applied = dict.fromkeys(self._recorded)


class _PlanningExecutor(MigrationExecutor):
    def __init__(self, loader: MigrationLoader) -> None:
        self.loader = loader


class Planner:
    """Tells what Django would do to a tenant with certain rows in its django_migrations.

    Raises CommandError when the app or the migration does not exist, and for conflicting migrations.
    """

    def __init__(self, files: MigrationFiles, app_label: str | None = None, name: str | None = None) -> None:
        self._files, self._app_label, self._name = files, app_label, name
        loader = _PlanningLoader(files, ())
        if conflicts := loader.detect_conflicts():
            named = "; ".join(f"{', '.join(names)} in {app}" for app, names in conflicts.items())
            raise CommandError(
                f"Conflicting migrations: more than one leaf node ({named}). "
                "Merge them with `manage.py makemigrations --merge`."
            )
        self._find_targets(loader)

    def plan(self, applied: Iterable[Key]) -> Plan:
        """Return the migrations that a tenant with these rows lacks (or, with a target, has too many)."""
        loader = _PlanningLoader(self._files, applied)
        return tuple(_PlanningExecutor(loader).migration_plan(self._find_targets(loader)))

    def lacks_replacements(self, applied: Iterable[Key]) -> bool:
        """Return whether a squashed migration must be recorded because all that it replaces is applied.

        Nothing runs then, but without that row the squashed migration would run in full once its `replaces`
        is removed.
        """
        recorded = dict.fromkeys(applied)
        loader = _PlanningLoader(self._files, recorded)
        return any(
            key not in recorded and loader.all_replaced_applied(key, recorded)  # type: ignore[arg-type]
            for key in loader.replacements
        )

    def _find_targets(self, loader: MigrationLoader) -> list[Any]:
        if self._app_label is None:
            labels = list_labels(settings.TENANT_APPS)
            return [key for key in loader.graph.leaf_nodes() if key[0] in labels]
        if self._app_label not in loader.migrated_apps:
            raise CommandError(f"App {self._app_label!r} is not installed or does not have migrations.")
        if self._name is None:
            return [key for key in loader.graph.leaf_nodes() if key[0] == self._app_label]
        return [(self._app_label, None if self._name == "zero" else self._find_name(loader))]

    def _find_name(self, loader: MigrationLoader) -> str:
        label = self._app_label
        try:
            name = loader.get_migration_by_prefix(label, self._name).name  # type: ignore[arg-type]
        except AmbiguityError as error:
            raise CommandError(
                f"More than one migration matches {self._name!r} in app {label!r}. Write more of its name."
            ) from error
        except KeyError as error:
            raise CommandError(f"No migration matches {self._name!r} in app {label!r}.") from error
        key = (label, name)
        if key not in loader.graph.nodes and key in loader.replacements:
            return loader.replacements[key].replaces[-1][1]  # a squashed one that is applied in part
        return name
