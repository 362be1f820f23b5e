"""Engines: what speaks segments. Each lives in a module of its own and knows none of the others."""
