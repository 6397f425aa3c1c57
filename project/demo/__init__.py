"""`make demo`: two tenants with real documents, on this machine alone.

Delete this folder, and the target in the Makefile, when you no longer need it.
"""
