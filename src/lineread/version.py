"""The version, in a place that everybody may read without importing anything."""

__version__ = "0.1.0"
