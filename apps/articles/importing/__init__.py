"""Files into articles: readers find the files, formats read them into records, saving writes them.

A further column: add it to Record and make_record (records.py), to the upsert (saving.py), and to the model.
"""
