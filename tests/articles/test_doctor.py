import pytest
from django.core.files.base import ContentFile

from apps.articles.doctor import check_uploads
from apps.articles.models import Article
from apps.operations.doctor.finding import Scope
from tenants.context import tenant_context


@pytest.fixture
def uploads(acme):
    with tenant_context(acme):
        articles = [Article(title=title, body="text") for title in ("Kept", "Lost")]
        for article in articles:
            article.upload.save(f"{article.title}.txt", ContentFile(b"text"))
    return [article.upload for article in articles]


def test_uploads_that_are_there_are_no_finding(acme, globex, uploads):
    assert list(check_uploads(Scope([acme, globex], is_whole=True))) == []


def test_an_upload_that_is_gone_is_a_finding_of_its_tenant_only(acme, globex, uploads):
    with tenant_context(acme):
        uploads[1].storage.delete(uploads[1].name)

    (finding,) = check_uploads(Scope([acme, globex], is_whole=True))

    assert (finding.subject, finding.level) == ("acme", "warning")
    assert finding.message == "Files of its latest articles that are gone: 1."


def test_a_tenant_that_lags_is_passed_over(acme, monkeypatch):
    monkeypatch.setattr(Article._meta, "db_table", "no_such_table")

    assert list(check_uploads(Scope([acme], is_whole=True))) == []
