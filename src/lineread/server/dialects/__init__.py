"""The protocols that clients speak, and what of each is translated to a request."""
