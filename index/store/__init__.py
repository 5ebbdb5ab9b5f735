"""Where a collection is kept: one transaction a change, one generation a snapshot."""
