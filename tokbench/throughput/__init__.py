"""Throughput of tokenizers as a measurement of its own: never a score, never submitted."""
