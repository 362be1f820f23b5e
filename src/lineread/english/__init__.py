"""Reading English: from text to phonemes, and back to the words of the text.

Owns what both English voices of this machine stand on: hibari-tts's rules, lexicon and files, and all that is known
before they are asked. Knows no engine and makes no sound. Nothing here is imported before it is needed: whether a text
can be read is asked for every line, stored or not.

    neighbours  which texts are another language's, by small words
    tongues     asks the lexicon, when that is hard to tell
    signs       which signs and letters have a name
    hibari      the installed hibari-tts: place, version, files
    tables      its word tables, opened without parsing them
    capitals    which words in capitals are no acronyms
    spelling    signs in words, where hibari would say nothing
    figures     numbers in words, where hibari would say another number
    phonemes    text to phonemes, and back to the words of the text
"""
