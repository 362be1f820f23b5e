"""Voices of a user's own: samples are checked, voices are made, and the voice book keeps them by name."""
