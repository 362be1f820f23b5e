"""Sessions: text streams in while speech streams out.

Owns what a session is to whoever uses one. A session stands on a link (see ``engines.link``): the service's own where
the engine brings one, else ``local``, which has any engine speak piece by piece.

    session   the user's face: write, commit, clear, cancel, end, chunks; and its synchronous twin
    heard     which text was spoken at which second
    local     a link over an engine that speaks segments, such as the machine's own voice
    conveyor  its pieces of text between writer and reader
    placing   where its chunks stand in text and sound
    standby   a link with another engine behind it, for when it cannot be opened
    realtime  the normalized call: a text or its pieces in, Base64 out
"""
