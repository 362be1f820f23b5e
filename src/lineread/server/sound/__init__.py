"""What leaves: PCM on its way into a format, and finished files with their signed URLs."""
