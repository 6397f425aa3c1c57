"""/api/spaces: the spaces that a tenant can search; its own ones can be made, changed and deleted."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.forms import model_to_dict
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status
from pydantic import ConfigDict

from apps.search.embedders import list_aliases
from apps.search.searching.refusals import ErrorsOut, refuse, refuse_form, require
from apps.search_own_spaces.forms import CHANGEABLE, OwnSpaceForm
from apps.search_own_spaces.models import OPTIONS, OwnSpace, SpaceInUseError, find_dimensions
from tenants.context import get_current_tenant

router = Router(tags=["spaces"])


class EndpointOut(Schema):
    """An endpoint of the tenant's own. The key itself is never shown."""

    base_url: str
    model: str
    dimensions: int
    send_dimensions: bool
    query_prefix: str
    document_prefix: str
    max_input_bytes: int
    batch_size: int
    requests_per_minute: int | None
    tokens_per_minute: int | None
    price_per_million_tokens: Decimal | None
    key: str = Field(description='"not set", "set" or "set, ends in 1234".')
    checked_at: datetime | None = Field(description="When it last answered a request that tried it.")


class SpaceOut(Schema):
    """What a tenant may know of a space; `endpoint` is null for those of the installation."""

    alias: str
    is_own: bool
    is_active: bool = Field(description="Whether this tenant is searched by it.")
    dimensions: int | None
    endpoint: EndpointOut | None = None


class ChangesIn(Schema):
    """Changes of a space; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    api_key: str = Field("", description="A new key, which is tried before it is kept; empty: the old one.")
    batch_size: int = 64
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    price_per_million_tokens: Decimal | None = None


class SpaceIn(ChangesIn):
    """A new space. From then on, only the fields of ChangesIn can be changed."""

    alias: str = Field(description="Begins with `own-`.")
    base_url: str = Field(description="Of the API, without /embeddings.")
    model: str
    dimensions: int
    send_dimensions: bool = False
    query_prefix: str = ""
    document_prefix: str = ""
    max_input_bytes: int = 8_000


REFUSALS = {401: ErrorsOut, 403: ErrorsOut, 404: ErrorsOut, 422: ErrorsOut}


@router.get("/spaces", response={200: list[SpaceOut], 401: ErrorsOut, 403: ErrorsOut})
def list_every_space(request: HttpRequest) -> Any:
    """List the installation's spaces and the tenant's own."""
    require(request, "own_spaces.view_ownspace")
    own = {space.alias: space for space in OwnSpace.objects.all()}
    return [_describe(alias, own.get(alias)) for alias in list_aliases()]


@router.post("/spaces", response={201: SpaceOut} | REFUSALS)
def create_space(request: HttpRequest, space: SpaceIn) -> Any:
    """Make a space of the tenant's own, once its endpoint has answered one short request."""
    require(request, "own_spaces.add_ownspace")
    return _save(OwnSpaceForm(space.model_dump()), 201)


@router.get("/spaces/{slug:alias}", response={200: SpaceOut} | REFUSALS)
def show_space(request: HttpRequest, alias: str) -> Any:
    """Show one of the tenant's own spaces."""
    require(request, "own_spaces.view_ownspace")
    return _describe(alias, get_object_or_404(OwnSpace, alias=alias))


@router.patch("/spaces/{slug:alias}", response={200: SpaceOut} | REFUSALS)
def change_space(request: HttpRequest, alias: str, changes: ChangesIn) -> Any:
    """Change the key, the limits or the price of one of the tenant's own spaces."""
    require(request, "own_spaces.change_ownspace")
    space = get_object_or_404(OwnSpace, alias=alias)
    present = model_to_dict(space, CHANGEABLE)
    return _save(OwnSpaceForm(present | changes.model_dump(exclude_unset=True), instance=space), 200)


@router.delete("/spaces/{slug:alias}", response={204: None, 409: ErrorsOut} | REFUSALS)
def delete_space(request: HttpRequest, alias: str) -> Any:
    """Delete one of the tenant's own spaces with its documents; 409 while it is in use."""
    require(request, "own_spaces.delete_ownspace")
    try:
        get_object_or_404(OwnSpace, alias=alias).delete()
    except SpaceInUseError as error:
        return refuse(409, alias=str(error))
    return Status(204, None)


def _save(form: OwnSpaceForm, status: int) -> Status:
    if not form.is_valid():
        return refuse_form(form)
    space = form.save()
    return Status(status, _describe(space.alias, space))


def _describe(alias: str, own: OwnSpace | None) -> dict[str, Any]:
    shown = (*OPTIONS, *CHANGEABLE, "checked_at")
    return {
        "alias": alias,
        "is_own": own is not None,
        "is_active": get_current_tenant().space == alias,
        "dimensions": own.dimensions if own else find_dimensions(alias),
        "endpoint": own and {name: getattr(own, name) for name in shown} | {"key": own.describe_key()},
    }
