"""Forms for signing in, for passwords and for a member's own page."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth import forms as auth_forms
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest
from django.http.request import split_domain_port
from django.utils import timezone

from apps.accounts.models import ApiKey, User
from apps.accounts.tasks import mail_password_link
from tenants.audit import record

MAX_PASSWORD_LENGTH = 1024
LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("", "No expiry")]


class LimitPasswords(forms.Form):
    """A mixin that refuses passwords of more than MAX_PASSWORD_LENGTH characters.

    The inputs get no maxlength attribute: a browser would cut a pasted password without a word.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        message = f"A password may have at most {MAX_PASSWORD_LENGTH:,} characters."
        for field in self.fields.values():
            if isinstance(field.widget, forms.PasswordInput):
                field.validators.append(MaxLengthValidator(MAX_PASSWORD_LENGTH, message))


class SignInForm(LimitPasswords, auth_forms.AuthenticationForm):
    """E-mail address and password. Django's view wants the first field's name to be `username`."""

    username = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )
    error_messages = {
        **auth_forms.AuthenticationForm.error_messages,
        "invalid_login": "This e-mail address and password do not belong to an active account here. "
        "Mind upper and lower case in the password.",
    }


class ResetPasswordForm(auth_forms.PasswordResetForm):
    """Asks for the address to which the link is sent."""

    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "email"}),
    )

    def save(self, *, request: HttpRequest, **options: Any) -> None:  # type: ignore[override]
        """Leave it to a worker to mail the link to the account, if it has a password.

        Nobody learns from the time that this takes whether there is such an account: the work is the same for
        each address, down to the task.
        """
        email = self.cleaned_data["email"]
        accounts = User.objects.filter(email=email, is_active=True)
        with_password = accounts.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
        host, _ = split_domain_port(request.get_host())
        mail_password_link.enqueue(with_password.values_list("pk", flat=True).first() or 0, host)
        record("ask for password link", email)


class RevokeKeys(forms.Form):
    """A mixin for a new password of `self.user`, who may have API keys: it offers to revoke them, too.

    A key lets a program in without the password, so somebody who has stolen one stays in.
    """

    revoke_keys = forms.ChoiceField(
        choices=[("", "keep"), ("yes", "revoke, so that programs which use them stop working")],
        widget=forms.RadioSelect,
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        user: User | None = self.user  # type: ignore[attr-defined]
        count = user.api_keys.active().count() if user else 0  # a link that is not valid has no user
        if count:
            self.fields["revoke_keys"].label = f"API keys ({count} active)"
        else:
            del self.fields["revoke_keys"]

    def save(self, *args: Any, **kwargs: Any) -> User:
        """Save the password; revoke the keys if that was chosen."""
        user: User = super().save(*args, **kwargs)  # type: ignore[misc]
        if self.cleaned_data.get("revoke_keys"):
            for api_key in user.api_keys.active():
                api_key.revoke()
        return user


class SetPasswordForm(RevokeKeys, LimitPasswords, auth_forms.SetPasswordForm):
    """A new password, entered twice, for someone who followed a link."""


class ChangePasswordForm(RevokeKeys, LimitPasswords, auth_forms.PasswordChangeForm):
    """The old password, and a new one entered twice."""

    field_order = ("old_password", "new_password1", "new_password2", "revoke_keys")


class AdminPasswordForm(RevokeKeys, LimitPasswords, auth_forms.AdminPasswordChangeForm):
    """Sets somebody's password, or takes it away."""


class NameForm(forms.ModelForm):
    """A member's own name."""

    class Meta:
        model = User
        fields = ["name"]
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}


class IssueKeyForm(forms.ModelForm):
    """What a new API key is for and how long it is valid."""

    lifetime = forms.TypedChoiceField(
        label="Valid for",
        choices=LIFETIMES,
        initial="90",
        required=False,
        coerce=lambda days: timedelta(days=int(days)),
        empty_value=None,
    )

    class Meta:
        model = ApiKey
        fields = ["name"]

    def issue(self, user: User) -> tuple[ApiKey, str]:
        """Issue the key for the user; return its row and the plain key. The form must be valid."""
        lifetime = self.cleaned_data["lifetime"]
        expires_at = timezone.now() + lifetime if lifetime else None
        return ApiKey.objects.issue(user, self.cleaned_data["name"], expires_at)
