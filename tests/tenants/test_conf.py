import pytest
from django.core.exceptions import ImproperlyConfigured

from tenants.conf import AppSettings


class Settings(AppSettings):
    SAMPLE_DAYS: float = 14
    SAMPLE_NAMES: list = []
    SAMPLE_IS_ON: bool = True
    SAMPLE_LIMITS: dict = {"a": 1}


conf = Settings()


def test_a_setting_that_nobody_sets_has_its_default():
    assert (conf.SAMPLE_DAYS, conf.SAMPLE_NAMES, conf.SAMPLE_IS_ON) == (14, [], True)


def test_the_environment_overrides_the_default_in_the_setting_s_type(monkeypatch):
    for name, value in {"SAMPLE_DAYS": "2.5", "SAMPLE_NAMES": "a,b", "SAMPLE_IS_ON": "no"}.items():
        monkeypatch.setenv(name, value)

    assert (conf.SAMPLE_DAYS, conf.SAMPLE_NAMES, conf.SAMPLE_IS_ON) == (2.5, ["a", "b"], False)


def test_the_settings_override_the_environment_at_call_time(monkeypatch, settings):
    monkeypatch.setenv("SAMPLE_DAYS", "2.5")

    settings.SAMPLE_DAYS = 3

    assert conf.SAMPLE_DAYS == 3


def test_the_environment_does_not_decide_what_it_cannot_write(monkeypatch):
    monkeypatch.setenv("SAMPLE_LIMITS", "{}")

    assert conf.SAMPLE_LIMITS == {"a": 1}
    assert set(Settings.list_variables()) == {"SAMPLE_DAYS", "SAMPLE_NAMES", "SAMPLE_IS_ON"}


def test_an_unusable_variable_is_named_with_its_type(monkeypatch):
    monkeypatch.setenv("SAMPLE_DAYS", "soon")

    with pytest.raises(
        ImproperlyConfigured, match="SAMPLE_DAYS is 'soon' in the environment; it must be a float"
    ):
        conf.SAMPLE_DAYS  # noqa: B018
