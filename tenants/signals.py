"""What other apps may want to hear of the registry."""

from django.dispatch import Signal

# A tenant opens and needs its first member; sent with the tenant bound, within the transaction that opens it.
# `tenant` is the row of the registry. A receiver makes the account and returns the link by which its owner
# sets a password; what it raises keeps the tenant closed.
owner_needed = Signal()

# Somebody did something; sent by tenants.audit within the transaction, with the schema bound in which it was
# done. `deed` is a dict of the parts of its line, `request` the one at work, or None. What a receiver raises
# undoes the deed.
deed_done = Signal()
