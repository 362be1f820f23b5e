"""Tools for agents, over the Model Context Protocol: speak, list, preview, clone, design, quote.

Owns what an agent sees, and stands on the client like the command line and the server do: no second path.

    tools       declares the tools: names, arguments, answers; made of the one declaration of fields
    workshop    what the tools need of whoever carries them out
    making      voices of the user's own, made as a tool was asked to
    machine     a workshop for the user's own agents: files in a folder, the voice book
    folder      names within that folder, and no others
    calls       carries out a call: arguments in, answer out
    protocol    the calls as the Model Context Protocol has them
    pipe        the protocol over standard input and output; with ``protocol`` all that imports ``mcp`` here

``lineread mcp`` serves them over standard input and output; ``lineread serve --mcp`` over HTTP, with a workshop of its
own (``server.dialects.agents``).
"""
