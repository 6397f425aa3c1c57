"""The one form that validates a space, for both admins and the API."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.search.embedders import EmbeddingError
from apps.search.spaces.budget import forgive
from apps.search_own_spaces.embedder import OwnEndpointEmbedder, WrongLengthError
from apps.search_own_spaces.models import FIXED, LIMITS, OwnSpace
from tenants.binding.shares import BusyError, share

KEY = re.compile(r"[!-~]*")
CHANGEABLE = ("batch_size", *LIMITS)
PREFIXES = ("query_prefix", "document_prefix")  # most end in a space that counts
PROBE = "Is anybody there?"
TIMEOUT = 15.0  # seconds; a service that loads its model for the first request needs some
IN_LINE, PATIENCE = 2, 5.0  # tries of a tenant that wait in a process for another one's end, and the seconds
BUSY = "Another service is being tried just now. Try again in a few seconds."
# The field that the HTTP status of a refusal is about.
REFUSED_FIELDS = {401: "api_key", 403: "api_key", 400: "model", 422: "model"}


class OwnSpaceForm(forms.ModelForm):
    """A space and, to be written only, its key.

    A new space, and one whose key is given anew, is tried with one real request before it is saved.
    """

    api_key = forms.CharField(
        label="Key",
        required=False,
        max_length=1_000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = OwnSpace
        fields = [*FIXED[:4], "api_key", *FIXED[4:], *CHANGEABLE]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_new = self.instance._state.adding
        for name, field in self.fields.items():
            field.disabled = name in FIXED and not is_new
            if name in PREFIXES:
                field.strip = False  # type: ignore[attr-defined]
        kept = "Kept encrypted and never shown again. Empty for a service that wants none."
        now = f"Now: {self.instance.describe_key()}. Empty to leave it so."
        self.fields["api_key"].help_text = kept if is_new else now

    def clean_api_key(self) -> str:
        """Accept what fits into a header."""
        key = self.cleaned_data["api_key"]
        if not KEY.fullmatch(key):
            raise ValidationError("A key is printable ASCII without spaces or line ends.")
        return key

    def _post_clean(self) -> None:
        """Once all else is in order, ask the endpoint: Django's own forms check passwords in this place."""
        super()._post_clean()  # type: ignore[misc]
        key = self.cleaned_data.get("api_key", "")
        if self.errors or not (self.instance._state.adding or key):
            return
        self.instance.set_key(key)
        embedder = OwnEndpointEmbedder(**self.instance.make_options(), timeout=TIMEOUT, max_retries=0)
        who = f"{embedder.base_url}, model {embedder.model!r}: "
        try:
            with share("probe", at_once=1, in_line=IN_LINE, patience=PATIENCE):
                embedder.embed_query(PROBE)
        except BusyError:
            self.add_error("base_url", BUSY)
        except WrongLengthError as error:
            self.add_error("dimensions", str(error))
        except EmbeddingError as error:
            field = REFUSED_FIELDS.get(error.status or 0, "base_url")
            self.add_error(field, str(error).removeprefix(who))  # with what the service said
        else:
            self.instance.checked_at = timezone.now()
            forgive(self.instance.alias)
