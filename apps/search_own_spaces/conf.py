"""The settings of the tenants' own spaces."""

from tenants.conf import AppSettings


class OwnSpacesSettings(AppSettings):
    """Each with its default."""

    # Secrets for the keys of the tenants' endpoints. The first encrypts, all of them decrypt. Where there is
    # none, SECRET_KEY encrypts; project/settings.py allows that only if DEBUG is True.
    ENCRYPTION_KEYS: list = []
    # Whether tenants may name endpoints in private networks, such as an Ollama beside this server.
    EMBEDDINGS_ALLOW_PRIVATE_ADDRESSES: bool = False


conf = OwnSpacesSettings()
