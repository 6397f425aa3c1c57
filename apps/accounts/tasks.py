"""What a worker does for accounts. Tasks carry keys only, read their rows again, and may run twice."""

from django.conf import settings
from django.core.mail import send_mail
from django.tasks import task
from django.template.loader import render_to_string
from django_tenants.utils import get_public_schema_name

from apps.accounts.invitations import get_site_url, make_password_path
from apps.accounts.models import User
from tenants.context import connection, unbound
from tenants.hosts import find_domain
from tenants.queue.turns import FIRST


@task(priority=FIRST)
def mail_password_link(user_pk: int, host: str) -> None:
    """Mail a link to set a new password on the bound tenant's site, at one of its hosts.

    Does nothing for 0, which stands for nobody, nor for an account that may not have a link any more, nor at
    a host of somebody else's. Raises OSError when the mail cannot be sent.
    """
    user = User.objects.filter(pk=user_pk, is_active=True).first()
    if user is None or not user.has_usable_password() or not _is_own(host):
        return
    site = get_site_url(host)
    context = {"user": user, "site": site.partition("//")[2], "link": site + make_password_path(user)}
    subject = render_to_string("registration/password_reset_subject.txt", context).strip()
    body = render_to_string("registration/password_reset_email.txt", context)
    send_mail(subject, body, None, [user.email])


def _is_own(host: str) -> bool:
    schema = connection.schema_name
    if schema == get_public_schema_name():
        return host in (settings.BASE_DOMAIN, f"www.{settings.BASE_DOMAIN}")
    with unbound():
        domain = find_domain(host)
    return domain is not None and domain.tenant.schema_name == schema
