"""Backbones, tokenizers and adapters."""
