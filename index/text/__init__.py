"""Sentences, terms, dates and quantities of a text."""
