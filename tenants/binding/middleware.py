"""From the host of a request to the bound tenant."""

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, Error
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.utils.deprecation import MiddlewareMixin

from tenants.audit import watch_request
from tenants.binding.outages import answer_failure, refuse
from tenants.conf import conf
from tenants.context import connection
from tenants.hosts import find_domain
from tenants.models import Tenant
from tenants.postgresql.bound import current_binding
from tenants.provisioning.renaming import redirect_to_primary
from tenants.provisioning.soundness import find_unready
from tenants.queue.turns import measure_wait
from tenants.tracing import forget_request

STATUS_OF_STATE = {
    Tenant.State.PROVISIONING: 503,
    Tenant.State.FAILED: 503,
    Tenant.State.SUSPENDED: 403,
    Tenant.State.LEAVING: 410,
}
REFUSALS = {  # for callers that want JSON; tenants/refused.html has them for people
    403: "This site is suspended.",
    404: "There is no site at this address.",
    410: "This site is closed.",
    503: "This site is being set up. Try again in a minute.",
}


def unbind_tenant(**kwargs: object) -> None:
    """Bind this context to `public`; the receiver of Django's request signals."""
    connection.set_schema_to_public()
    watch_request(None)
    forget_request()
    _limit_statements(0)
    connection.end_use()


class HealthMiddleware(MiddlewareMixin):
    """Answers two addresses on any host, in plain text: 200 if all is well, otherwise 503 with the reasons.

    `/healthz`: the database answers. `/readyz`: it also has the extension and every migration of `public`; a
    line says for how long the queue's first due task has waited, which is no fault of this process.
    It stands early, because a load balancer asks by address, without TLS and without a known host.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """Answer these addresses, pass on every other."""
        examine = {"/healthz": _check_database, "/readyz": _check_readiness}.get(request.path)
        if examine is None:
            return None
        try:
            faults, notes = examine()
        except DatabaseError:
            faults, notes = ["database unavailable"], []
        lines = [*(faults or ["ok"]), *notes]
        text = "".join(f"{line}\n" for line in lines)
        return HttpResponse(text, status=503 if faults else 200, content_type="text/plain")


def _check_database() -> tuple[list[str], list[str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return [], []


def _check_readiness() -> tuple[list[str], list[str]]:
    if faults := find_unready():
        return faults, []
    return [], [f"queue: the first due task waits for {measure_wait():.0f} seconds"]


class UnknownHostMiddleware(MiddlewareMixin):
    """Answers 404 for a host that nobody has, before SecurityMiddleware would redirect it to https.

    There is no certificate for such a host. A redirect to whatever a client writes into `Host` helps only
    those who poison caches.
    """

    def process_request(self, request: "TenantRequest") -> HttpResponse | None:
        """Refuse it; pass on all others, and all while the database is down."""
        if request.is_secure() or not settings.SECURE_SSL_REDIRECT:
            return None
        connection.set_schema_to_public()
        request.tenant = None
        host = _read_host(request)
        try:
            is_known = _is_operators(host) or (bool(host) and find_domain(host) is not None)
        except Error:  # TenantMiddleware says so
            return None
        return None if is_known else _refuse(request, 404)


class TenantRequest(HttpRequest):
    """A request that went through TenantMiddleware."""

    tenant: Tenant | None


class TenantMiddleware(MiddlewareMixin):
    """Binds the tenant of the request's host and sets `request.tenant` (None on the operators' site).

    Statements of the request have a timeout: see REQUEST_STATEMENT_TIMEOUT.

    404 for a host that no tenant has, 503 for a tenant that is not ready or while the database is down, 403
    for a suspended one, 410 for one that is leaving; 308 from a host that redirects.
    """

    def process_request(self, request: TenantRequest) -> HttpResponse | None:
        """Bind, or answer with the refusal."""
        connection.set_schema_to_public()
        _limit_statements(conf.OPERATORS_STATEMENT_TIMEOUT)
        request.tenant = None
        watch_request(request)
        host = _read_host(request)
        if _is_operators(host):
            request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
            return None
        try:
            domain = find_domain(host) if host else None
        except Error as error:
            if answer := answer_failure(request, error):
                return answer
            raise
        tenant = domain.tenant if domain else None
        status = STATUS_OF_STATE.get(tenant.state, 200) if tenant else 404
        if domain is None or tenant is None or status != 200:
            return _refuse(request, status)
        if domain.redirects:
            return redirect_to_primary(request, tenant) or _refuse(request, 404)
        request.tenant = tenant
        connection.set_tenant(tenant)
        _limit_statements(conf.REQUEST_STATEMENT_TIMEOUT)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 503 when a view finds that the database is down, or takes too long."""
        return answer_failure(request, exception)


def _read_host(request: HttpRequest) -> str:
    """Return the host in lower case, without port and trailing dot; "" for one that cannot be."""
    try:
        host, _ = split_domain_port(request.get_host())
    except DisallowedHost:
        return ""
    return "" if "\x00" in host else host


def _is_operators(host: str) -> bool:
    return host in (settings.BASE_DOMAIN, f"www.{settings.BASE_DOMAIN}")


def _limit_statements(seconds: float) -> None:
    current_binding.set(current_binding.get()._replace(statement_timeout=seconds))


def _refuse(request: HttpRequest, status: int) -> HttpResponse:
    response = refuse(request, status, "tenants/refused.html", {"site": [REFUSALS[status]]})
    if status == 503:
        response.headers["Retry-After"] = "10"  # seconds
    return response
