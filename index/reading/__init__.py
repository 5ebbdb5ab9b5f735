"""Read articles from files, pages and feeds."""
