"""A model field for e-mail addresses that differ by more than case."""

from unicodedata import normalize

from django.db import models


def normalise_email(address: str) -> str:
    """Return the address as it is stored: without surrounding space, in Unicode form NFKC, in lower case.

    The part before the @ may differ by case only (RFC 5321, section 2.4), but no mail service in wide use
    lets it, and people type both.
    """
    return normalize("NFKC", normalize("NFKC", address).lower()).strip()


class LowerCaseEmailField(models.EmailField):
    """An EmailField that normalises what is saved and what is looked up, by `normalise_email`."""

    def to_python(self, value: object) -> str | None:
        """Return the normalised address; Django calls this for validation, lookups and SQL parameters."""
        address = super().to_python(value)
        return normalise_email(address) if address else address

    def pre_save(self, model_instance: models.Model, add: bool) -> str | None:
        """Return the normalised address and set it on the instance, which then equals its row."""
        address = self.to_python(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, address)
        return address
