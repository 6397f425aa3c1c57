"""What becomes of a tenant's own spaces when it is imported from a bundle.

Their keys are encrypted for one schema of one installation. A copy must not use the original's account with a
service, so its keys go; elsewhere they cannot be read unless ENCRYPTION_KEYS, or SECRET_KEY, are the same.
"""

from apps.search_own_spaces.models import OwnSpace


def after_load(*, is_copy: bool) -> str:
    """Take the keys from the spaces of a copy; say which spaces want theirs again."""
    if is_copy:
        OwnSpace.objects.update(encrypted_key="")
    spaces = OwnSpace.objects.order_by("alias")
    keyless = [space.alias for space in spaces if is_copy or not space.is_key_readable()]
    return f"Give these spaces their keys again: {', '.join(keyless)}." if keyless else ""
