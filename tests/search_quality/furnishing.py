"""Golden queries, evaluations and recent searches, for the pages that show them."""

from django.http import HttpRequest

from apps.search.searching.answering import SearchRequest, tell_answered
from apps.search_quality.evaluating.measuring import evaluate
from apps.search_quality.evaluating.runs import ask_for_run, save_run
from apps.search_quality.models import GoldenQuery


def furnish(index, key, query):
    GoldenQuery.objects.create(index_name=index, query=query).answers.create(key=key)
    for _ in range(2):
        save_run(evaluate(index))
    ask_for_run(index)
    tell_answered(HttpRequest(), SearchRequest(query, index))
