"""Accounts, API keys and counts of tries. They carry no tenant: each lives in the schema of its tenant."""

import secrets
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from apps.accounts.fields import LowerCaseEmailField
from apps.accounts.managers import PREFIX_LENGTH, ApiKeyManager, UserManager, digest_key
from tenants.audit import record
from tenants.context import connection

USE_NOTED_EVERY = timedelta(minutes=1)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in by e-mail: a member in a tenant's schema, an operator in the public one."""

    email = LowerCaseEmailField(
        "e-mail address",
        max_length=254,
        unique=True,
        error_messages={"unique": "An account with this e-mail address exists already."},
    )
    name = models.CharField(
        "name", max_length=150, blank=True, validators=[ProhibitNullCharactersValidator()]
    )
    is_active = models.BooleanField(
        "active", default=True, help_text="Clear this instead of deleting the account."
    )
    is_staff = models.BooleanField("staff", default=False, help_text="May sign in to the admin.")
    invited_at = models.DateTimeField("last invited", null=True, blank=True, editable=False)
    date_joined = models.DateTimeField("date joined", default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = "user"
        verbose_name_plural = "users"
        constraints = [
            # The field's own uniqueness serves lookups; this one holds against writes that pass the field by.
            models.UniqueConstraint(Lower("email"), name="accounts_user_email_lower_unique"),
        ]

    def save(self, **options: Any) -> None:
        """Write the row; a new password is a deed to record."""
        has_new_password = self._password is not None  # type: ignore[attr-defined]
        super().save(**options)
        if has_new_password:
            record("set password", self)

    def get_full_name(self) -> str:
        """Return the name, or an empty string."""
        return self.name

    def get_short_name(self) -> str:
        """Return the name, or an empty string; Django's admin greets with it."""
        return self.name

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Django's hash covers only the password. A signed-cookie session, or a database session that was
        # copied with its user, would be valid in another tenant.
        value = f"{connection.schema_name}:{self.password}"
        return salted_hmac("apps.accounts.session", value, secret=secret, algorithm="sha256").hexdigest()


class ApiKey(models.Model):
    """A member's key for the JSON API. The key itself is shown once, when it is issued, and not stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(
        "name",
        max_length=100,
        validators=[ProhibitNullCharactersValidator()],
        help_text="What it is for, such as “nightly import”.",
    )
    prefix = models.CharField("key begins with", max_length=PREFIX_LENGTH, unique=True, editable=False)
    digest = models.CharField("SHA-256 of the key", max_length=64, editable=False)
    created_at = models.DateTimeField("issued", default=timezone.now, editable=False)
    last_used_at = models.DateTimeField("last used", null=True, blank=True, editable=False)
    expires_at = models.DateTimeField("expires", null=True, blank=True, help_text="Empty: never.")
    revoked_at = models.DateTimeField("revoked", null=True, blank=True, editable=False)

    objects: ClassVar[ApiKeyManager] = ApiKeyManager()

    plain_key: str  # no field: only the object that has just been given its key has it

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def save(self, **options: Any) -> None:
        """Write the row; a new key is a deed to record."""
        is_new = self._state.adding
        super().save(**options)
        if is_new:
            record("issue key", self, user=self.user, expires=self.expires_at)

    def clean(self) -> None:
        """Raise ValidationError when a new key would have expired already."""
        if self._state.adding and self.expires_at and self.expires_at <= timezone.now():
            message = f"{self.expires_at:%Y-%m-%d %H:%M} is past; a key expires in the future, or never."
            raise ValidationError({"expires_at": message})

    @property
    def state(self) -> str:
        """`revoked`, `expired` or `active`."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= timezone.now() else "active"

    @property
    def is_usable(self) -> bool:
        """Whether a request may be answered for this key now."""
        return self.state == "active" and self.user.is_active

    def assign_key(self) -> None:
        """Give this unsaved row a new random key of 32 bytes, in `plain_key`."""
        self.plain_key = secrets.token_urlsafe(32)
        self.prefix = self.plain_key[:PREFIX_LENGTH]
        self.digest = digest_key(self.plain_key)

    def revoke(self) -> None:
        """Refuse the key from now on; the time of the first revocation stays."""
        if ApiKey.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=timezone.now()):
            record("revoke key", self, user=self.user)
        self.refresh_from_db(fields=["revoked_at"])

    def note_use(self) -> None:
        """Set `last_used_at`, at most once a minute: a busy key would write with each request."""
        now = timezone.now()
        if self.last_used_at is None or self.last_used_at <= now - USE_NOTED_EVERY:
            ApiKey.objects.filter(pk=self.pk).update(last_used_at=now)
            self.last_used_at = now


class TryCount(models.Model):
    """How often somebody tried something in one period of a rate limit (access/rate_limits.py).

    The table is unlogged: counting writes no log to disk, and a server that crashed begins with zero.
    """

    key = models.CharField(max_length=200, primary_key=True)
    times = models.IntegerField()
    ends_at = models.DateTimeField(db_index=True)  # the period

    class Meta:
        default_permissions = ()  # nobody administers them

    def __str__(self) -> str:
        return f"{self.key}: {self.times}"
