"""The settings of accounts."""

from collections.abc import Mapping, Sequence

from tenants.conf import AppSettings


class AccountSettings(AppSettings):
    """Rates say how often somebody may try something, in each tenant apart: "10/m", or with s, h or d.

    "" is no limit.
    """

    RATE_LIMIT_SIGN_IN: str = "10/m"  # failed sign-ins from one client address
    RATE_LIMIT_SIGN_IN_ACCOUNT: str = "50/h"  # for one e-mail address
    # Requests for a link to set a password.
    RATE_LIMIT_PASSWORD_RESET: str = "10/h"  # noqa: S105 - from one client address
    RATE_LIMIT_PASSWORD_RESET_ACCOUNT: str = "5/h"  # noqa: S105 - for one e-mail address
    RATE_LIMIT_PASSWORD_CHANGE: str = "10/h"  # noqa: S105 - failed changes by one member, who guesses the old one
    RATE_LIMIT_API: str = "300/m"  # calls of the API by one key, or by one member without a key
    RATE_LIMIT_API_ANONYMOUS: str = "60/m"  # from one client address where nobody is signed in
    RATE_LIMITS: Mapping[str, str] | None = None  # scope -> rate, in place of all those above

    DEAD_KEY_DAYS: float = 90  # for how many days an API key is kept that has expired or was revoked
    SESSION_IDLE_MINUTES: float = 480  # until somebody who asks for nothing is signed out; 0: never

    # Names of addresses that cost what a call of the API costs, beside the `limited_pages` of AppConfigs.
    RATE_LIMITED_PAGES: Sequence[str] = ()


conf = AccountSettings()
