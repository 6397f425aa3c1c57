import pytest

from apps.search import get_provider
from apps.search.indexes.registry import VectorIndex, register, unregister
from apps.search.indexes.sources import CallableSource, Text
from apps.search.indexing.batches import rebuild_index
from apps.search_switching.advancing import cut_over
from apps.search_switching.models import SpaceSwitch
from tests.search_switching.work import switch_to

pytestmark = pytest.mark.usefixtures("embedder", "in_acme", "as_owner")


@pytest.fixture
def handbook():
    texts = [Text("why", "red apples"), Text("how", "green pears")]
    yield register(VectorIndex("handbook", [CallableSource("faq", lambda: texts)]))
    unregister("handbook")


@pytest.mark.usefixtures("handbook")
def test_a_switch_takes_texts_along_and_cuts_them_anew(settings):
    settings.EMBEDDINGS["other"]["CHUNKER"] = {
        "BACKEND": "apps.search.chunking.SimpleChunker",
        "OPTIONS": {"limit": 1, "overlap": 0},
    }
    rebuild_index("handbook")

    switch = switch_to("other")
    cut_over(switch)

    assert SpaceSwitch.objects.get().state == "switched"
    assert get_provider("handbook", space="default").objects.count() == 2
    assert get_provider("handbook", space="other").objects.count() > 2
