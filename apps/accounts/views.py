"""A member's own page: name and API keys. On the operators' site there are no keys, since it has no API."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.forms import IssueKeyForm, NameForm
from apps.accounts.models import User


class MemberRequest(HttpRequest):
    """A request that has passed `login_required`; for the type checker only."""

    user: User
    tenant: Any


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def account(request: MemberRequest) -> HttpResponse:
    """Show the member's name and API keys; POST changes the name."""
    data = request.POST if request.method == "POST" else None
    form = NameForm(data, instance=request.user, auto_id="name-form-%s")
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your name is saved.")
        return redirect("account")
    return _render_account(request, name_form=form)


@require_POST
@login_required
@never_cache
def issue_key(request: MemberRequest) -> HttpResponse:
    """Issue an API key and show it; 404 on the operators' site.

    The answer is the page itself and no redirect: the key would have to be kept somewhere in between.
    """
    if request.tenant is None:
        raise Http404("This site has no API.")
    form = IssueKeyForm(request.POST, auto_id="key-form-%s")
    if not form.is_valid():
        return _render_account(request, key_form=form)
    api_key, plain_key = form.issue(request.user)
    return _render_account(request, issued=api_key, plain_key=plain_key)


@require_POST
@login_required
def revoke_key(request: MemberRequest, pk: int) -> HttpResponse:
    """Revoke one of the member's own keys; 404 for any other."""
    api_key = get_object_or_404(request.user.api_keys, pk=pk)
    api_key.revoke()
    messages.success(request, f"The API key {api_key} is revoked.")
    return redirect("account")


def _render_account(request: MemberRequest, **context: object) -> HttpResponse:
    defaults = {
        "name_form": NameForm(instance=request.user, auto_id="name-form-%s"),
        "key_form": IssueKeyForm(auto_id="key-form-%s"),
        "api_keys": request.user.api_keys.all(),
    }
    return render(request, "accounts/account.html", defaults | context)
