"""Wire formats as pure codecs: bytes in, values out, and back. No I/O, so that a client and a server can share them."""
