"""How the JSON API refuses: with one form for every fault."""

from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpRequest
from ninja import Schema, Status
from ninja.errors import AuthenticationError


class ErrorsOut(Schema):
    """The fields at fault, each with its messages."""

    errors: dict[str, list[str]]


def refuse(status: int, **errors: str) -> Status:
    """Return the answer with that status and one message for each field at fault."""
    return Status(status, {"errors": {name: [message] for name, message in errors.items()}})


def refuse_form(form: BaseForm) -> Status:
    """Return the answer 422 with what the form says of its fields."""
    return Status(422, {"errors": {name: list(map(str, faults)) for name, faults in form.errors.items()}})


def require(request: HttpRequest, permission: str) -> None:
    """Do nothing for a member with the permission, such as "quality.view_goldenquery".

    Raises AuthenticationError for a visitor, whom a public search lets into the API, and PermissionDenied for
    any other member; the API answers with 401 and 403.
    """
    if not request.user.is_authenticated:
        raise AuthenticationError
    if not request.user.has_perm(permission):
        raise PermissionDenied(f"This needs the permission {permission}.")
