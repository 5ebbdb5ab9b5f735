"""Keep collections on a PostgreSQL server with pgvector; needs the extra `postgres`.

Each collection is a schema. Its tables and the statements on them are those of the embedded engine.
What is searched is derived from them in the same transaction: a posting for each term of a live
sentence, and a half-precision vector for each live sentence.
"""
