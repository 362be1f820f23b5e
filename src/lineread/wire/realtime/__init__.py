"""DashScope's realtime dialect, without the socket: text events one way, sound events the other.

Owns what passes between a client and a server of Qwen TTS realtime, and in which order it may. Both ends stand on it:

    machine   which event may pass when: a table, and the state that it leads to
    events    what all events have in common: JSON, ids, the fields of a session
    caller    the client's end: text to events, events to sound, and what is left to say when a socket is lost
    leg       what a caller knows of one socket
    unspoken  the text that a caller has yet to have spoken
    answerer  the server's end: events to work, sound to events

Pure: events go in and come out, nothing waits and nothing is sent here. Source: the service's documentation of the
realtime API of mid-2026, recorded sessions, and the official SDK.
"""
