"""The doctor's own checks: the server first, since mending goes by the order, too."""

from apps.operations.doctor import registry, roles, server, sessions, tasks

CHECKS = [server.check, sessions.check, registry.check, roles.check, tasks.check]
