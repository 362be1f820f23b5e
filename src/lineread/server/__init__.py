"""The server: DashScope's and OpenAI's own clients speak with lineread's engines, unchanged.

It stands on the client as the command line does: same pipeline, cache, engines and errors, no second path.

    options     what is set when a server starts
    app         routes, and the doors that every request goes through
    desk        takes a request, has it spoken, keeps the account of it
    visit       the record of one HTTP request, for the access line and the metrics
    keys        who may come in, and how much they may ask for
    encoding    PCM to the bytes of a format, at a sample rate, as they come
    shelf       finished audio files and their signed, expiring URLs
    dashscope   DashScope's HTTP dialect
    openai      OpenAI's dialect
    service     listening, the banner, signals, draining
"""
