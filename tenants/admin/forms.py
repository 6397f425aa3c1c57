"""The forms of the operators' admin."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet

from tenants.models import Domain, Tenant


class TenantForm(forms.ModelForm):
    """The fields of a tenant that an operator fills in; the spaces come from the settings."""

    space = forms.ChoiceField(
        choices=lambda: [(alias, alias) for alias in settings.EMBEDDINGS],
        help_text=Tenant._meta.get_field("space").help_text,
    )

    class Meta:
        model = Tenant
        fields = ["name", "subdomain", "owner_email", "space", "search_language", "search_is_public"]


class RenameForm(forms.Form):
    """Asks for a tenant's new subdomain."""

    subdomain = forms.CharField(label="New subdomain", max_length=48, widget=AdminTextInputWidget)


class DomainForm(forms.ModelForm):
    """A host of a tenant; a new one is not primary unless the operator ticks the box."""

    class Meta:
        model = Domain
        fields = ["domain", "is_primary", "redirects"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.initial["is_primary"] = False


class DomainFormSet(BaseInlineFormSet):
    """All hosts of a tenant, of which exactly one is primary."""

    def clean(self) -> None:
        """Raise ValidationError when no domain or more than one is primary."""
        super().clean()
        if any(self.errors):
            return
        kept = [form for form in self.forms if form not in self.deleted_forms and form.cleaned_data]
        primary = [form for form in kept if form.cleaned_data["is_primary"]]
        if len(primary) != 1:
            raise ValidationError(f"{len(primary)} domains are primary. Choose exactly one.")
