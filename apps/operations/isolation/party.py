"""The parties between which nothing may leak: each tenant, and the operators' site, where none is bound."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django_tenants.utils import schema_context

from tenants.context import tenant_context
from tenants.models import Tenant

Planted = TypeVar("Planted")


class Party:
    """A tenant, or none, with what was planted in it.

    `token` is the canary: another party that reads it has found a leak. A search for `word` finds it, so that
    a page that repeats its query betrays nothing. `cleanup` undoes what no rollback does.
    """

    def __init__(self, tenant: Tenant | None = None) -> None:
        domain = tenant.get_primary_domain() if tenant else None
        self.tenant = tenant
        self.host: str = domain.domain if domain else tenant.hostname if tenant else settings.BASE_DOMAIN
        self.token = f"canary{secrets.token_hex(12)}"
        self.word = f"word{secrets.token_hex(12)}"
        self.cleanup = ExitStack()
        self._planted: dict[Callable[..., Any], Any] = {}

    def __str__(self) -> str:
        return self.schema_name

    @property
    def schema_name(self) -> str:
        """The tenant's schema, `public` for none."""
        return self.tenant.schema_name if self.tenant else "public"

    @property
    def email(self) -> str:
        """The address of this party's planted user; it holds the token."""
        return f"{self.token}@canary.invalid"

    @property
    def session(self) -> str:
        """The key of the session in which this party's planted user is signed in."""
        return self.of(plant_session)

    def bound(self) -> AbstractContextManager[Any]:
        """Run a block with this party's tenant bound, or with none."""
        return tenant_context(self.tenant) if self.tenant else schema_context("public")

    def of(self, plant: "Callable[[Party], Planted]") -> Planted:
        """Return what `plant(party)` made; it is called once for each party, with its tenant bound."""
        if plant not in self._planted:
            with self.bound():
                self._planted[plant] = plant(self)
        return self._planted[plant]

    def get(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        session: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the answer to a GET at this party's site, with the cookie of a session if one is given."""
        return self._open(session, headers).get(path, query, secure=settings.SECURE_SSL_REDIRECT)

    def post(self, path: str, data: Mapping[str, Any], *, session: str) -> Any:
        """Return the answer to a form at this party's site, with the cookie of a session."""
        return self._open(session).post(path, data, secure=settings.SECURE_SSL_REDIRECT)

    def _open(self, session: str | None, headers: Mapping[str, str] | None = None) -> Client:
        client = Client(headers={"host": self.host, **(headers or {})})
        if session:
            client.cookies[settings.SESSION_COOKIE_NAME] = session
        return client


def plant_user(party: Party) -> Any:
    """Make a user with all rights and without a usable password."""
    return get_user_model()._default_manager.create_superuser(party.email)


def plant_session(party: Party) -> str:
    """Sign the planted user in; return the session's key."""
    client = Client()
    client.force_login(party.of(plant_user))
    return client.cookies[settings.SESSION_COOKIE_NAME].value
