"""Support code that all tests share."""
