"""Trained runs behind an HTTP interface, a page and tools for assistants (docs/http.md)."""
