#!/usr/bin/env python
"""Django's command line."""

import os
import sys


def main() -> None:
    """Run the management command that the arguments name."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    from django.core.management import execute_from_command_line

    from tenants.management.plain_errors import plain_errors

    with plain_errors(sys.argv):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
