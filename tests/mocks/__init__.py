"""A tokenizer and runs small enough to compute by hand."""
