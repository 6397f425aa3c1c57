"""The settings of search quality."""

from tenants.conf import AppSettings


class QualitySettings(AppSettings):
    SEARCH_LOG: int = 200  # recent searches that each tenant keeps; 0: none


conf = QualitySettings()
