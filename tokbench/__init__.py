"""tokbench: measure text, visual and audio tokenizers with the metrics their fields trust."""
