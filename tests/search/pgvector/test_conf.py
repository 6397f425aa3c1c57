from apps.search.storage.pgvector.conf import conf


def test_what_the_dict_leaves_out_has_its_default(settings):
    settings.PGVECTOR = {"INDEX_ROWS": 7, "BULK_ROWS": None}

    assert (conf.INDEX_ROWS, conf.BULK_ROWS) == (7, None)
    assert (conf.EXACT_ROWS, conf.MAINTENANCE_WORK_MEM_MB) == (1_000, 512)


def test_the_dict_itself_may_be_left_out(settings):
    if hasattr(settings, "PGVECTOR"):
        del settings.PGVECTOR

    assert (conf.INDEX_ROWS, conf.BULK_ROWS) == (5_000, 1_000)
