"""Index, rank and quote news reports; knows nothing of Discord and nothing of async.

Read it from top to bottom: errors, sentences, article, memory, numbers, terms, dates, figures,
address, fetch, sandbox, plain, markup, portable, formats, sources, encoder, store, schema, vectors,
catalogue, commit, embedded, query, features, retrieve, rerank, decline, phrases, attribution,
origins, claims, compare, agreement, selection, answer, news, intake, refresh, archive, evaluate.
Each module imports only from those before it.
"""
