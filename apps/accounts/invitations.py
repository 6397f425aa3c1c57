"""Invitations: a mail with a link by which a new account sets its first password."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.http import HttpRequest
from django.http.request import split_domain_port
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from apps.accounts.models import User


def make_owner(tenant: Any, **kwargs: Any) -> str:
    """Make the first account of a new tenant, as create_owner does. The receiver of `owner_needed`."""
    return create_owner(tenant.owner_email, base_url=tenant.url)


def create_owner(email: str, *, base_url: str) -> str:
    """Make the first account of the bound tenant, with all rights there, invite it, and return the link.

    An account that has the address already gets the rights and a new invitation.
    Raises ValidationError for an invalid address, and what `invite` raises.
    """
    user = User.objects.filter(email=email).first() or User.objects.create_superuser(email)
    if not (user.is_active and user.is_staff and user.is_superuser):
        user.is_active = user.is_staff = user.is_superuser = True
        user.save(update_fields=["is_active", "is_staff", "is_superuser"])
    return invite(user, base_url=base_url)


def invite(user: User, *, base_url: str) -> str:
    """Mail the user a link to set a password on the bound tenant's site; return the link.

    `base_url` is the site's address, such as "https://acme.example.com". The link works once, until
    PASSWORD_RESET_TIMEOUT seconds have passed. Raises ValueError for an inactive user or a `base_url` without
    http:// or https://, OSError when the mail cannot be sent.
    """
    if not user.is_active:
        raise ValueError(f"{user} is not active; only an active account can be invited.")
    site = urlsplit(base_url)
    if site.scheme not in ("http", "https") or not site.netloc:
        raise ValueError(f"base_url {base_url!r} is not a site's address. Write http://host or https://host.")
    link = base_url.rstrip("/") + make_password_path(user)
    context = {
        "user": user,
        "site": site.netloc,
        "link": link,
        "expires": timezone.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT),
    }
    subject = render_to_string("accounts/invitation_subject.txt", context).strip()
    send_mail(subject, render_to_string("accounts/invitation_email.txt", context), None, [user.email])
    return link


def make_password_path(user: User) -> str:
    """Return the path, on a tenant's site, of the page on which the user sets a password; it works once."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    arguments = {"uidb64": uid, "token": default_token_generator.make_token(user)}
    # A request to the operators' site has another URLconf, so the tenants' is named.
    return reverse("password_reset_confirm", urlconf=settings.ROOT_URLCONF, kwargs=arguments)


def get_site_host(request: HttpRequest) -> str:
    """Return the host for a link to the request's site, with the port of settings.SITE_URL.

    The port of the request is not used: a person who has a link mailed to somebody else chooses it, and a
    program that listens on another port would be handed the token (CWE-640).
    """
    name, _ = split_domain_port(request.get_host())
    port = urlsplit(settings.SITE_URL).port
    return f"{name}:{port}" if port else name
