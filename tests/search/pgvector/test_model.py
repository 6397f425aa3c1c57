import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from apps.search.documents import DuplicateDocumentError, EmbeddedDocument
from apps.search.storage.pgvector import PgVectorProvider
from tenants.context import tenant_context

KEYS = st.sampled_from(["a", "b", "c", "é", "a:1", "%"])
ROWS = st.lists(st.tuples(KEYS, st.integers(0, 2), st.sampled_from(["en", "de"])), max_size=6)
MANY_KEYS = st.lists(KEYS, max_size=6)


def make_documents(rows):
    return [EmbeddedDocument(key, f"text {n}", {"lang": lang, "n": n}, [1.0, n]) for key, n, lang in rows]


def value_of(document):
    return document.content, document.metadata


class ProviderAgainstDict(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.provider = PgVectorProvider(space="model")
        self.provider.clear()
        self.model = {}

    @rule(rows=ROWS)
    def add(self, rows):
        new = {document.document_key: value_of(document) for document in make_documents(rows)}
        changed = sum(self.model.get(key) != value for key, value in new.items())
        self.model |= new

        assert self.provider.add(make_documents(rows)) == changed

    @rule(rows=ROWS)
    def add_or_skip(self, rows):
        before = len(self.model)
        for document in make_documents(rows):
            self.model.setdefault(document.document_key, value_of(document))

        assert self.provider.add(make_documents(rows), on_conflict="skip") == len(self.model) - before

    @rule(rows=ROWS)
    def add_or_fail(self, rows):
        keys = [key for key, _, _ in rows]
        duplicates = sorted({key for key in keys if key in self.model or keys.count(key) > 1})
        if duplicates:
            with pytest.raises(DuplicateDocumentError) as caught:
                self.provider.add(make_documents(rows), on_conflict="error")
            assert caught.value.keys == duplicates
            return
        self.model |= {document.document_key: value_of(document) for document in make_documents(rows)}

        assert self.provider.add(make_documents(rows), on_conflict="error") == len(rows)

    @rule(keys=MANY_KEYS)
    def delete(self, keys):
        gone = {key for key in keys if self.model.pop(key, None)}

        assert self.provider.delete(keys) == len(gone)

    @rule(lang=st.sampled_from(["en", "de"]), least=st.integers(0, 3))
    def delete_by_filter(self, lang, least):
        metadata = {key: metadata for key, (_, metadata) in self.model.items()}
        gone = [key for key, value in metadata.items() if value["lang"] == lang and value["n"] >= least]
        for key in gone:
            del self.model[key]

        assert self.provider.delete(where={"lang": lang, "n": {"gte": least}}) == len(gone)

    @rule(keys=MANY_KEYS)
    def prune(self, keys):
        kept = {key: value for key, value in self.model.items() if key in keys}
        deleted, self.model = len(self.model) - len(kept), kept

        assert self.provider.prune_to(keys) == deleted

    @rule()
    def clear(self):
        deleted, self.model = len(self.model), {}

        assert self.provider.clear() == deleted

    @invariant()
    def stored_is_what_the_model_holds(self):
        if hasattr(self, "model"):
            rows = self.provider.objects.values_list("document_key", "content", "metadata")
            assert {key: (content, metadata) for key, content, metadata in rows} == self.model


@pytest.mark.usefixtures("in_acme")
def test_writing_does_what_a_dict_does(globex):
    with tenant_context(globex):
        theirs = PgVectorProvider(space="model")
        theirs.add(make_documents([("a", 0, "en"), ("b", 1, "de")]))

    run_state_machine_as_test(
        ProviderAgainstDict,
        settings=hypothesis_settings(max_examples=50, stateful_step_count=12, deadline=None),
    )

    with tenant_context(globex):
        assert theirs.objects.count() == 2
