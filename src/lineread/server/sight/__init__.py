"""What an operator sees: a record of each request, the log, the figures, the server's health."""
