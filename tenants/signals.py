"""What other apps may want to hear of the registry."""

from django.dispatch import Signal

# A tenant opens and needs its first member; sent with the tenant bound, within the transaction that opens it.
# `tenant` is the row of the registry. A receiver makes the account and returns the link by which its owner
# sets a password; what it raises keeps the tenant closed.
owner_needed = Signal()
