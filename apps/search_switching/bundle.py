"""Steps of a switch that wait travel with a bundle."""

from apps.search_switching.advancing import advance_switch, fill_origin
from apps.search_switching.dropping import drop_documents
from apps.search_switching.handwritten import copy_loose_documents

TASKS = [advance_switch, fill_origin, drop_documents, copy_loose_documents]
