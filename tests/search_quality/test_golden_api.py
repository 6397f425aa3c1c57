import pytest

from apps.search.indexes.source_objects import Source
from apps.search_quality.models import GoldenQuery
from tenants.context import tenant_context

API = "/api/golden-queries"


@pytest.fixture
def promote_by_api(site, notes):
    def post(**changes):
        data = {"q": "churned cream", "document_key": f"{Source.of(notes['Butter']).prefix}0"}
        return site.post(API, data | changes, content_type="application/json")

    return post


def test_a_result_is_promoted_listed_and_taken_back(site, notes, make_member, promote_by_api):
    make_member("add_goldenquery", "view_goldenquery")

    made = promote_by_api(filter={"title": "Butter"}, grade=2)
    listed = site.get(API).json()
    answer = made.json()["answers"][0]
    taken = site.delete(f"{API}/{made.json()['id']}/answers/{answer['id']}")

    assert made.status_code == 201
    assert listed == {"items": [made.json()], "count": 1}
    assert made.json() | {"id": 0, "answers": []} == {
        "id": 0,
        "index": "notes",
        "query": "churned cream",
        "filter": {"title": "Butter"},
        "answers": [],
    }
    assert answer | {"id": 0} == {
        "id": 0,
        "grade": 2,
        "model": "notes.note",
        "pk": str(notes["Butter"].pk),
        "document_key": None,
    }
    assert taken.status_code == 204
    assert site.get(API).json() == {"items": [], "count": 0}


def test_a_key_that_is_no_text_is_refused(make_member, promote_by_api):
    make_member("add_goldenquery")

    response = promote_by_api(document_key="notes.note:\ud800:0")

    assert response.status_code == 422
    assert response.json()["errors"] == {
        "document_key": ["The key contains a lone surrogate (U+D800) at character 11. Remove it."]
    }


def test_an_index_is_listed_alone(site, make_golden, make_member):
    make_golden("cream", "Butter")
    make_member("view_goldenquery")

    assert [site.get(API, {"index": name}).json()["count"] for name in ("notes", "nowhere")] == [1, 0]


def test_a_golden_query_is_deleted_with_its_answers(site, make_golden, make_member, acme):
    golden = make_golden("cream", "Butter").golden_query
    make_member("delete_goldenquery")

    statuses = [site.delete(f"{API}/{golden.pk}").status_code for _ in range(2)]

    assert statuses == [204, 404]
    with tenant_context(acme):
        assert not GoldenQuery.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"q": " "}, "q", "Type what you are looking for: 1 to 2,000 characters."),
        ({"index": "books"}, "index", "There is no index 'books'. Known indexes: "),
        ({"filter": {"a": {"near": 1}}}, "filter", "a.near"),
        ({"filter": "text"}, "filter", "needs an object of keys and conditions, not a string."),
        ({"grade": 4}, "grade", "4 is not a grade. Allowed: 1, 2, 3."),
        ({"document_key": ""}, "document_key", "Name the document that is a right answer."),
        ({"document_key": "gone"}, "document_key", "There is no object and no document 'gone'"),
    ],
)
def test_bad_input_is_named(acme, make_member, promote_by_api, changes, field, reason):
    make_member("add_goldenquery")

    response = promote_by_api(**changes)

    assert response.status_code == 422
    assert list(response.json()["errors"]) == [field]
    assert reason in response.json()["errors"][field][0]
    with tenant_context(acme):
        assert not GoldenQuery.objects.exists()


def test_what_a_member_may_not_do_is_refused_with_the_permission(
    site, make_golden, make_member, promote_by_api
):
    answer = make_golden("cream", "Butter")
    golden = f"{API}/{answer.golden_query_id}"
    make_member()

    responses = [
        site.get(API),
        promote_by_api(),
        site.delete(golden),
        site.delete(f"{golden}/answers/{answer.pk}"),
    ]

    assert [(r.status_code, r.json()["errors"]["permission"]) for r in responses] == [
        (403, ["This needs the permission quality.view_goldenquery."]),
        (403, ["This needs the permission quality.add_goldenquery."]),
        (403, ["This needs the permission quality.delete_goldenquery."]),
        (403, ["This needs the permission quality.add_goldenquery."]),
    ]


def test_a_visitor_of_a_public_search_is_asked_to_sign_in(site, acme, notes, promote_by_api):
    acme.search_is_public = True
    acme.save()

    assert [site.get(API).status_code, promote_by_api().status_code] == [401, 401]


def test_an_answer_is_reached_through_its_own_query_only(site, make_golden, make_member):
    one, other = make_golden("cream", "Butter"), make_golden("flour", "Bread")
    make_member("add_goldenquery")

    assert site.delete(f"{API}/{one.golden_query_id}/answers/{other.pk}").status_code == 404


def test_another_tenants_golden_queries_are_neither_listed_nor_deleted(site, globex, notes, make_member):
    with tenant_context(globex):
        theirs = GoldenQuery.objects.create(pk=4_000, index_name="notes", query="secret")
    make_member("view_goldenquery", "delete_goldenquery")

    assert site.get(API).json() == {"items": [], "count": 0}
    assert site.delete(f"{API}/{theirs.pk}").status_code == 404
