"""Who comes in, and how much each may ask for."""
