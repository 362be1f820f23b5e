"""Sound as bytes: joined, trimmed, put into containers and taken out of them, encoded."""
