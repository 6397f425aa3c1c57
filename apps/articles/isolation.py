"""Attacks on articles, for `manage.py prove_isolation`."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.urls import reverse

from apps.articles.models import Article

if TYPE_CHECKING:
    from apps.operations.isolation.party import Party


def plant_article(party: "Party") -> Article:
    """Save an article whose title and file are the token."""
    article = Article(title=party.token, body=party.token)
    article.upload.save(f"{party.word}.txt", ContentFile(party.token.encode()))
    party.cleanup.callback(article.upload.delete, save=False)
    return article


def list_articles_by_api(victim: "Party", attacker: "Party") -> bool:
    """The API's list of articles, asked on the attacker's site."""
    victim.of(plant_article)
    return victim.token.encode() in _get(attacker, "api-1:list_articles").content


def download_others_upload(victim: "Party", attacker: "Party") -> bool:
    """The file of the article that has the victim's number, from the attacker's site."""
    response = _get(attacker, "articles:upload", victim.of(plant_article).pk)
    return victim.token.encode() in b"".join(response)


def _get(attacker: "Party", name: str, *args: int) -> Any:
    path = reverse(name, urlconf=settings.ROOT_URLCONF, args=args)
    return attacker.get(path, session=attacker.session)


ATTACKS = [list_articles_by_api, download_others_upload]
