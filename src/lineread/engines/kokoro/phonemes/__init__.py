"""Text to Kokoro's phonemes, in eight languages that may be mixed.

Owns which way a piece of text goes: words in another script than the language's own are read as the language that
they belong to, since nothing may be left out; ``mixed`` cuts it so. The ways themselves:

    english     hibari's rules, American
    british     hibari's rules, British
    mandarin    pypinyin's readings in rjieba's words, figures by ``figures``
    figures     Chinese numbers, dates and signs in words
    japanese    Open JTalk's readings
    espeak      Spanish, French, Italian, Portuguese and Hindi by the system's ``espeak-ng``

Kokoro's phonemes are characters of the International Phonetic Alphabet and some of its own; hibari was made for the
same set, so its table of them is used.
"""
