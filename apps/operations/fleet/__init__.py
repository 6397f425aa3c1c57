"""Migrating thousands of tenants: `manage.py migrate_schemas` without --executor and without --schema.

survey    which tenants lag behind the migration files: a few statements, however many tenants there are
files     the migration files, read once and shared by all threads
migrator  migrates one tenant on the connection of its thread
parallel  several tenants at a time, an error budget, and Ctrl-C
report    what the operator sees
"""
