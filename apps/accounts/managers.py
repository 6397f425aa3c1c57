"""How accounts and API keys are made and found."""

import hashlib
import re
from datetime import datetime
from typing import TYPE_CHECKING

from django.contrib.auth.base_user import BaseUserManager
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from apps.accounts.fields import normalise_email

if TYPE_CHECKING:
    from apps.accounts.models import ApiKey, User

PREFIX_LENGTH = 8
KEY_FORMAT = re.compile(r"[A-Za-z0-9_-]{43}")  # what secrets.token_urlsafe(32) returns


class UserManager(BaseUserManager["User"]):
    """Makes accounts, and finds them by e-mail address in any case."""

    def create_user(self, email: str, password: str | None = None, **extra: object) -> "User":
        """Save and return an account; without a password it cannot sign in until one is set.

        Raises ValidationError for an invalid address, IntegrityError for one that is taken.
        """
        address = normalise_email(email)
        try:
            validate_email(address)
        except ValidationError as error:
            message = f"{email!r} is not an e-mail address; one like name@example.com is allowed."
            raise ValidationError({"email": message}) from error
        user = self.model(email=address, **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: object) -> "User":
        """Save and return an account that may do everything in its schema; raises as `create_user` does."""
        return self.create_user(email, password, **extra | {"is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the account with this address, in any case. Raises User.DoesNotExist."""
        return self.get(email=username)


class ApiKeyManager(models.Manager["ApiKey"]):
    """Issues API keys, and finds the row of one that a request brings."""

    def active(self) -> models.QuerySet["ApiKey"]:
        """Return those that are neither revoked nor expired."""
        is_over = models.Q(expires_at__lte=timezone.now())  # not of one without an expiry
        return self.filter(revoked_at=None).exclude(is_over)

    def issue(self, user: "User", name: str, expires_at: datetime | None = None) -> tuple["ApiKey", str]:
        """Save a new key; return its row and the plain key, which is stored nowhere.

        Raises ValidationError when the name is blank or longer than 100 characters or the expiry is past.
        """
        api_key = self.model(user=user, name=name, expires_at=expires_at)
        api_key.assign_key()
        api_key.full_clean()
        api_key.save(using=self._db, force_insert=True)
        return api_key, api_key.plain_key

    def authenticate(self, plain_key: str) -> "ApiKey | None":
        """Return the key's row and note its use, or None unless it is usable now.

        Never raises for malformed input. Only the digest is secret, so only it is compared in constant time.
        """
        if not (isinstance(plain_key, str) and KEY_FORMAT.fullmatch(plain_key)):
            return None
        api_key = self.select_related("user").filter(prefix=plain_key[:PREFIX_LENGTH]).first()
        if api_key is None or not constant_time_compare(api_key.digest, digest_key(plain_key)):
            return None
        if not api_key.is_usable:
            return None
        api_key.note_use()
        return api_key


def digest_key(plain_key: str) -> str:
    """Return the SHA-256 of a key, 64 hexadecimal digits.

    A fast hash is right here: a slow one protects secrets that can be guessed, and a key is 256 random bits.
    """
    return hashlib.sha256(plain_key.encode()).hexdigest()
