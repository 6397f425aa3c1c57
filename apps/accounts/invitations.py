"""Invitations: a mail with a link by which a new account sets its first password."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import transaction
from django.http.request import split_domain_port
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django_tenants.utils import get_public_schema_name

from apps.accounts.fields import normalise_email
from apps.accounts.models import User
from tenants.audit import record
from tenants.context import connection, tenant_context, unbound


class AcceptedError(ValueError):
    """The account has a password already, or had one: nobody else may be handed a link to it."""


def make_owner(tenant: Any, **kwargs: Any) -> str:
    """Make the first account of a new tenant, as create_owner does. The receiver of `owner_needed`."""
    return create_owner(tenant.owner_email, base_url=tenant.url)


def create_owner(email: str, *, base_url: str) -> str:
    """Make the first account of the bound tenant, with all rights there, invite it, and return the link.

    An account that has the address already gets the rights and a new invitation.
    Raises ValidationError for an invalid address, and what `invite` raises.
    """
    return invite(_give_all_rights(email), base_url=base_url)


def invite_owner(tenant: Any, email: str = "", *, by_mail: bool = True) -> str:
    """Invite a tenant's owner once more, by mail or only by the link that is returned.

    Another `email` becomes the owner's from now on. If the present owner has not accepted, it is the same
    account, and links that were sent to the old address end. Raises AcceptedError for an account that needs
    no invitation, ValidationError for an invalid address, and what `invite` raises.
    """
    email = normalise_email(email) or tenant.owner_email
    with tenant_context(tenant), transaction.atomic():
        owner = find_owner(tenant)
        account = User.objects.filter(email=email).first()
        if account and has_accepted(account):
            raise AcceptedError(f"{email} has a password already, so there is no link to set the first one.")
        if owner and not account and not has_accepted(owner):
            validate_email(email)
            owner.email = email
            owner.save(update_fields=["email"])
        account = _give_all_rights(email)
        link = (invite if by_mail else show_invitation)(account, base_url=tenant.url)
        if email != tenant.owner_email:
            tenant.owner_email = email
            with unbound():
                tenant.save(update_fields=["owner_email"])
    return link


def find_owner(tenant: Any) -> User | None:
    """Return the account in the bound tenant that its registration names; None if it is gone."""
    return User.objects.filter(email=tenant.owner_email).first()


def has_accepted(user: User) -> bool:
    """Return whether the account has a password, or had one when somebody signed in."""
    return user.has_usable_password() or user.last_login is not None


def describe_invitation(user: User | None) -> str:
    """Say whether somebody has accepted an invitation, and until when its link works."""
    if user is None:
        return "there is no such account any more"
    if has_accepted(user):
        return "accepted"
    if user.invited_at is None:
        return "not accepted yet"
    expires = _get_expiry(user.invited_at)
    verb = "worked" if expires <= timezone.now() else "works"
    return f"not accepted yet; the link {verb} until {expires:%Y-%m-%d %H:%M} UTC"


def invite(user: User, *, base_url: str) -> str:
    """Mail the user a link to set a password on the bound tenant's site; return the link.

    `base_url` is the site's address, such as "https://acme.example.com". The link works once, until
    PASSWORD_RESET_TIMEOUT seconds have passed. Raises ValueError for an inactive user or a `base_url` without
    http:// or https://, OSError when the mail cannot be sent.
    """
    link = _make_link(user, base_url)
    expires = _get_expiry(user.invited_at or timezone.now())
    context = {"user": user, "site": urlsplit(base_url).netloc, "link": link, "expires": expires}
    subject = render_to_string("accounts/invitation_subject.txt", context).strip()
    send_mail(subject, render_to_string("accounts/invitation_email.txt", context), None, [user.email])
    user.save(update_fields=["invited_at"])
    record("send invitation", user)
    return link


def show_invitation(user: User, *, base_url: str) -> str:
    """Return the link of `invite`, for somebody who hands it over; no mail is sent. Raises ValueError."""
    link = _make_link(user, base_url)
    user.save(update_fields=["invited_at"])
    record("show invitation", user)
    return link


def make_password_path(user: User) -> str:
    """Return the path, on the bound site, of the page on which the user sets a password; it works once."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    arguments = {"uidb64": uid, "token": default_token_generator.make_token(user)}
    # A request to the operators' site has another URLconf than the tenants' one that is bound within it.
    is_public = connection.schema_name == get_public_schema_name()
    urlconf = settings.PUBLIC_SCHEMA_URLCONF if is_public else settings.ROOT_URLCONF
    return reverse("password_reset_confirm", urlconf=urlconf, kwargs=arguments)


def get_site_url(host: str) -> str:
    """Return the address of a site for links to it: with the scheme and the port of settings.SITE_URL.

    The port of a request is not used: a person who has a link mailed to somebody else chooses it, and a
    program that listens on another port would be handed the token (CWE-640).
    """
    site, (name, _) = urlsplit(settings.SITE_URL), split_domain_port(host)
    return f"{site.scheme}://{name}:{site.port}" if site.port else f"{site.scheme}://{name}"


def _give_all_rights(email: str) -> User:
    user = User.objects.filter(email=email).first() or User.objects.create_superuser(email)
    if not (user.is_active and user.is_staff and user.is_superuser):
        user.is_active = user.is_staff = user.is_superuser = True
        user.save(update_fields=["is_active", "is_staff", "is_superuser"])
    return user


def _make_link(user: User, base_url: str) -> str:
    """Make a link that begins to work now, and set `invited_at` without saving it."""
    if not user.is_active:
        raise ValueError(f"{user} is not active; only an active account can be invited.")
    site = urlsplit(base_url)
    if site.scheme not in ("http", "https") or not site.netloc:
        raise ValueError(f"base_url {base_url!r} is not a site's address. Write http://host or https://host.")
    user.invited_at = timezone.now()
    return base_url.rstrip("/") + make_password_path(user)


def _get_expiry(invited_at: datetime) -> datetime:
    return invited_at + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
