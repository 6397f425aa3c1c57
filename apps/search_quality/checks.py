"""System checks of the settings."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from apps.search_quality.conf import conf


@register()
def check_search_log(**kwargs: Any) -> list[CheckMessage]:
    """E001: SEARCH_LOG is not a number of rows."""
    rows = conf.SEARCH_LOG
    if isinstance(rows, int) and not isinstance(rows, bool) and rows >= 0:
        return []
    return [
        Error(
            f"SEARCH_LOG: {rows!r} is not a number of rows.",
            hint="Set it to how many recent searches each tenant keeps; 0 keeps none.",
            id="quality.E001",
        )
    ]
