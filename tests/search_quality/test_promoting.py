import pytest

from apps.search.documents import Document
from apps.search.indexes.source_objects import Source
from apps.search.providers import get_provider
from apps.search_quality.evaluating.measuring import read_questions
from apps.search_quality.golden.answers import make_key
from apps.search_quality.golden.promoting import UnknownAnswerError, find_promoted, promote, take_back
from apps.search_quality.models import GoldenAnswer, GoldenQuery
from tenants.context import tenant_context

ASKED = {"q": "churned cream", "filter": '{"title": {"like": "B%"}}'}


def post_promotion(site, notes, **data):
    document_key = f"{Source.of(notes['Butter']).prefix}0"
    return site.post("/search/quality/promote/", ASKED | {"document_key": document_key} | data)


def list_promoted(tenant):
    with tenant_context(tenant):
        return [(a.golden_query.query, a.key, a.grade) for a in GoldenAnswer.objects.all()]


def test_promoting_twice_is_promoting_once_with_the_last_grade(in_acme, make_golden, notes):
    make_golden("churned cream", "Butter")
    make_golden("churned cream", "Butter", grade=2)
    make_golden("churned cream", "Bread", grade=1)

    assert GoldenQuery.objects.count() == 1
    grades = {key: answer.grade for key, answer in find_promoted("notes", "churned cream").items()}
    assert grades == {Source.of(notes["Butter"]).prefix: 2, Source.of(notes["Bread"]).prefix: 1}


def test_the_same_words_under_another_filter_are_another_query(in_acme, make_golden):
    make_golden("cream", "Butter", filter={"title": "Butter", "year": 1})
    make_golden("cream", "Butter", filter={"year": 1, "title": "Butter"})
    make_golden("cream", "Butter")
    make_golden("cream", "Butter", filter={})

    assert GoldenQuery.objects.count() == 2
    assert find_promoted("notes", "cream", {"title": "Bread"}) == {}


def test_a_long_query_is_one_like_any_other(in_acme, make_golden):
    query = "ü𝄞 " * 660

    make_golden(query, "Butter")

    assert len(find_promoted("notes", query)) == 1


def test_a_query_without_answers_goes_with_the_last(in_acme, make_golden):
    first, second = make_golden("food", "Bread"), make_golden("food", "Butter")

    take_back(first)
    assert GoldenQuery.objects.count() == 1
    take_back(second)

    assert GoldenQuery.objects.count() == 0


@pytest.mark.parametrize("key", ["notes.note:0:", "accounts.user:1:", "no such document"])
def test_what_the_index_does_not_hold_is_no_answer(in_acme, notes, key):
    with pytest.raises(UnknownAnswerError, match=r"There is no object and no document .* in the index"):
        promote("notes", "food", key)

    assert GoldenQuery.objects.count() == 0


def test_a_document_of_no_object_can_be_promoted(in_acme, notes):
    get_provider("notes").add([Document("leaflet", "Opening hours")])

    answer = promote("notes", "when open", make_key("leaflet"))

    assert (answer.key, read_questions("notes")[0].grades) == ("leaflet", {"leaflet": 3})


def test_an_answer_whose_object_is_gone_is_not_asked_for(in_acme, make_golden, notes):
    make_golden("food", "Bread")
    make_golden("food", "Butter")
    make_golden("cream", "Butter")

    notes["Butter"].delete()

    questions = read_questions("notes")
    assert [question.query for question in questions] == ["food"]
    assert list(questions[0].grades) == [Source.of(notes["Bread"]).prefix]


def test_the_search_page_promotes_and_takes_back(site, acme, notes, make_member):
    make_member("add_goldenquery")
    before = site.get("/search/", ASKED).content.decode()

    promoted = post_promotion(site, notes, next="/search/?q=churned+cream#result-1")
    during = site.get("/search/", ASKED).content.decode()
    listed = list_promoted(acme)
    post_promotion(site, notes, undo="1")

    assert (promoted.status_code, promoted.url) == (302, "/search/?q=churned+cream#result-1")
    assert 'This is the right answer<span class="visually-hidden">: Butter</span>' in before
    assert 'Undo<span class="visually-hidden">: Butter is the right answer</span>' in during
    assert listed == [("churned cream", Source.of(notes["Butter"]).prefix, 3)]
    assert list_promoted(acme) == []


def test_undoing_what_was_not_promoted_is_harmless(site, acme, notes, make_member):
    make_member("add_goldenquery")

    response = post_promotion(site, notes, undo="1")

    assert (response.status_code, response.url) == (302, "/search/")


def test_promoting_leads_to_no_other_site(site, notes, make_member):
    make_member("add_goldenquery")

    response = post_promotion(site, notes, next="https://elsewhere.example/")

    assert response.url == "/search/"


def test_a_result_that_is_gone_is_not_promoted_and_the_page_says_so(site, acme, notes, make_member):
    make_member("add_goldenquery")

    post_promotion(site, notes, document_key="notes.note:0:0")

    assert "That result is gone, so it was not promoted." in site.get("/search/", ASKED).content.decode()
    assert list_promoted(acme) == []


@pytest.mark.parametrize("data", [{"q": ""}, {"document_key": ""}, {"filter": "{"}, {"grade": "4"}])
def test_bad_input_is_refused(site, acme, notes, make_member, data):
    make_member("add_goldenquery")

    assert post_promotion(site, notes, **data).status_code == 400
    assert list_promoted(acme) == []


def test_a_member_without_the_permission_neither_sees_nor_promotes(site, acme, notes, make_member):
    make_member("view_goldenquery")

    page = site.get("/search/", ASKED).content.decode()

    assert "right answer" not in page
    assert post_promotion(site, notes).status_code == 403
    assert list_promoted(acme) == []


def test_a_visitor_is_sent_to_sign_in(site, notes):
    response = post_promotion(site, notes)

    assert (response.status_code, response.url) == (
        302,
        "/accounts/login/?next=/search/quality/promote/",
    )


def test_another_tenant_has_none_of_the_golden_queries(make_golden, globex):
    make_golden("cream", "Butter")

    with tenant_context(globex):
        assert not GoldenQuery.objects.exists()
        assert find_promoted("notes", "cream") == {}
