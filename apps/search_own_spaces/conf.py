"""The settings of the tenants' own spaces."""

from tenants.conf import AppSettings


class OwnSpacesSettings(AppSettings):
    """Each with its default."""

    # Secrets for the keys of the tenants' endpoints. The first encrypts, SECRET_KEY where there is none; all
    # of them decrypt.
    ENCRYPTION_KEYS: list = []
    # Whether tenants may name endpoints in private networks, such as an Ollama beside this server.
    EMBEDDINGS_ALLOW_PRIVATE_ADDRESSES: bool = False


conf = OwnSpacesSettings()
