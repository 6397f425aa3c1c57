"""The doctor's own checks. The server comes first: faults are mended in this order, too."""

from apps.operations.doctor import registry, roles, server, sessions, tasks

CHECKS = [server.check, sessions.check, registry.check, roles.check, tasks.check]
