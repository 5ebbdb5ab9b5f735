"""Index, rank and quote news reports; knows nothing of Discord and nothing of async.

Read it from top to bottom: errors, sentences, article, memory, terms, dates, address, fetch,
sandbox, portable, markup, packed, plain, formats, sources, encoder, store, schema, vectors,
catalogue, commit, embedded, query, features, retrieve, rerank, decline, phrases, attribution,
origins, compare, agreement, selection, answer, news, intake, refresh, archive, evaluate. Each
module imports only from those before it.
"""
