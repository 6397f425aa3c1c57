"""A space of the tenant's own, at a service that nobody asks."""

from apps.search_own_spaces.models import OwnSpace


def furnish(index, key, query):
    space = OwnSpace(alias="own-one", base_url="https://embeddings.example.com/v1", model="one", dimensions=8)
    space.set_key("sk-of-the-test")
    space.save()
