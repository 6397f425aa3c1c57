"""The fixture `deeds`: what the log `audit` says of something."""

import pytest


@pytest.fixture
def deeds(caplog, django_capture_on_commit_callbacks):
    """Do something, commit it, and return the deeds that were recorded."""

    def list_deeds(do):
        caplog.clear()
        with django_capture_on_commit_callbacks(execute=True):
            do()
        return [record.getMessage() for record in caplog.records if record.name == "audit"]

    return list_deeds
