"""How alike two spaces answer: an app that moves tenants asks, an app that measures the search answers.

Neither needs the other.
"""

from django.dispatch import Signal

# Sent with `current` and `candidate`, two aliases, while a tenant is bound. A receiver returns, as JSON:
# {"fault": "why there is no comparison, or nothing", "indexes": [a dict for each index]}.
comparison_wanted = Signal()
