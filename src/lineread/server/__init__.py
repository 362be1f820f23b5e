"""The server: DashScope's and OpenAI's own clients speak with lineread's engines, unchanged.

It stands on the client as the command line does: same pipeline, cache, engines and errors, no second path.

    options     what is set when a server starts
    service     listening, signals, draining; `banner` says what a starting server prints
    app         routes, and the doors that every request goes through
    desk        takes a request, has it spoken, keeps the account of it; `sessions` does so for realtime ones
    enrolling   has voices made for clients, of recordings that `fetching` may fetch
    dialects/   DashScope's and OpenAI's: a request in their words, an answer in theirs
    access/     keys, limits, whose voices are whose, the checks at the entrance
    sound/      encodings, finished files, signed URLs
    transport/  connections and request bodies
    sight/      the record of a request, the log, metrics, health
    reference/  OpenAPI and the page made of it
"""
