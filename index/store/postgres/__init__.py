"""Collections on a PostgreSQL server with pgvector: a schema each; needs the extra `postgres`.

The tables are those of the embedded engine, and so are the statements on them. What is searched is
derived from them in the same transaction: a posting for each term of a live sentence, and a
half-precision vector for each live sentence.
"""
