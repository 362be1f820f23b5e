"""What the server answers, as OpenAPI and as a page."""
