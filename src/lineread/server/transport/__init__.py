"""Connections and bodies, below everything that knows about speech."""
