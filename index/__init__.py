"""Index, rank and quote news reports; knows nothing of Discord and nothing of async.

Read it from top to bottom: errors, sentences, article, log, terms, dates, address, fetch, sandbox,
plain, markup, portable, formats, sources, encoder, store, memory, schema, catalogue, commit,
vectors, embedded, query, features, retrieve, rerank, decline, phrases, attribution, origins,
compare, agreement, selection, answer, news, intake, refresh, archive, evaluate. Each module imports
only from those before it.
"""
