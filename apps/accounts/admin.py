"""Accounts and API keys in the admin: the members' site of each tenant, and the operators' site."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import admin as auth_admin
from django.contrib.auth import forms as auth_forms
from django.contrib.auth.models import Group, Permission
from django.db.models import ForeignKey, Q, QuerySet
from django.forms import ModelChoiceField, ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse

from apps.accounts.forms import AdminPasswordForm, ChangePasswordForm, LimitPasswords
from apps.accounts.invitations import get_site_url, invite
from apps.accounts.models import ApiKey, User

RIGHTS = ["is_staff", "is_superuser", "groups", "user_permissions"]
ISSUED_FIELDS = ["name", "user", "prefix", "state", "created_at", "last_used_at", "expires_at", "revoked_at"]


class UserCreationForm(LimitPasswords, auth_forms.AdminUserCreationForm):
    """Adds an account. With password-based authentication disabled, it waits for an invitation."""

    usable_password = auth_forms.SetUnusablePasswordMixin.create_usable_password_field(
        "Choose “Disabled” to let the person set a password: save, then run “Send invitation” on the list."
    )

    class Meta:
        model = User
        fields = ["email", "name"]


class UserChangeForm(auth_forms.UserChangeForm):
    """Changes an account; the password has a form of its own."""

    class Meta:
        model = User
        fields = "__all__"


@admin.register(User)
class UserAdmin(auth_admin.UserAdmin):
    """Django's admin of accounts, by e-mail address; register it on the operators' site too."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordForm
    change_user_password_template = "accounts/change_user_password.html"  # noqa: S105 - a file
    fieldsets = [
        (None, {"fields": ["email", "password", "name"]}),
        ("Rights", {"fields": ["is_active", *RIGHTS]}),
        ("Dates", {"fields": ["last_login", "invited_at", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})]
    readonly_fields = ["last_login", "invited_at", "date_joined"]
    list_display = ["email", "name", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser", "groups"]
    search_fields = ["email", "name"]
    ordering = ["email"]
    actions = ["send_invitation"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[Any]:
        """Let only superusers give and take rights: anybody else could promote themselves."""
        fixed = list(super().get_readonly_fields(request, obj))
        return fixed if request.user.is_superuser else fixed + RIGHTS

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Return whether the person may change accounts and has all the rights of this one."""
        return super().has_change_permission(request, obj) and _has_rights_of(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Return whether the person may delete accounts and has all the rights of this one."""
        return super().has_delete_permission(request, obj) and _has_rights_of(request.user, obj)

    def has_invite_permission(self, request: HttpRequest) -> bool:
        """Return whether the person may change accounts and this site has the page that the link leads to."""
        try:
            reverse("password_reset_complete")
        except NoReverseMatch:
            return False
        return self.has_change_permission(request)

    @admin.action(description="Send invitation", permissions=["invite"])
    def send_invitation(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Mail each chosen account a link to set a password; say which could not be invited, and why."""
        base_url = get_site_url(request.get_host())
        for user in queryset:
            try:
                invite(user, base_url=base_url)
            except (OSError, ValueError) as error:
                self.message_user(request, f"No invitation was sent to {user}: {error}", messages.ERROR)
            else:
                self.message_user(request, f"An invitation was sent to {user}.", messages.SUCCESS)


class GroupAdmin(auth_admin.GroupAdmin):
    """Django's admin of groups, in which only superusers change anything; register it on both sites.

    Whoever changes what a group may do can raise their own group to everything.
    """

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether the person is a superuser."""
        return request.user.is_active and request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Return whether the person is a superuser."""
        return self.has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Return whether the person is a superuser."""
        return self.has_add_permission(request)


admin.site.unregister(Group)  # Django's, which the import above has registered
admin.site.register(Group, GroupAdmin)
admin.site.password_change_form = ChangePasswordForm  # with the offers and the limits of the account page's


def _has_rights_of(person: Any, other: User | None) -> bool:
    # Whoever may set the password or the address of an account can sign in to it.
    if other is None or person.is_superuser:
        return True
    rights = Permission.objects.filter(Q(user=other) | Q(group__user=other))
    names = rights.values_list("content_type__app_label", "codename")
    return not other.is_superuser and all(person.has_perm(f"{app}.{name}") for app, name in names)


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    """Issues, lists and revokes API keys. An issued key cannot be edited, and its digest is not shown."""

    list_display = ["name", "user", "prefix", "state", "created_at", "last_used_at", "expires_at"]
    list_select_related = ["user"]
    search_fields = ["name", "prefix", "user__email"]
    actions = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[Any]:
        """Return the fields of the add form, or those that are shown of an issued key."""
        return ISSUED_FIELDS if obj else ["name", "user", "expires_at"]

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Return False: a key is issued and revoked, never edited."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Return whether the person may change keys, which here means to revoke them."""
        return super().has_change_permission(request)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        """Offer only oneself as the key's user, except to a superuser, who may do everything anyway."""
        if db_field.name == "user" and not request.user.is_superuser:
            kwargs["queryset"] = User.objects.filter(email=request.user.get_username())
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ModelForm, change: bool) -> None:
        """Give the new row its key, which stays on the object until the response is made."""
        obj.assign_key()
        super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the plain key. No redirect: it would be kept in a cookie or a session in between."""
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "API key issued",
            "opts": self.opts,
            "api_key": obj,
            "plain_key": obj.plain_key,
        }
        return TemplateResponse(request, "accounts/api_key_issued.html", context)

    @admin.action(description="Revoke the chosen API keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Refuse the chosen keys from now on."""
        for api_key in queryset:
            api_key.revoke()
        self.message_user(request, f"Revoked: {', '.join(map(str, queryset))}.", messages.SUCCESS)
