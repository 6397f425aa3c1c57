"""`make eval`: how well each mode finds known items, measured on texts that every machine has.

A known-item task asks with one part of a text for the rest of it; it needs no judges. Nothing is left behind:
the tenant that is searched lives in a database of its own.
"""
