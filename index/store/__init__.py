"""Store collections: each change is a transaction, each snapshot shows one generation."""
