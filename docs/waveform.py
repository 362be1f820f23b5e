"""Draw the README's recording: the line spoken by the built-in voice, with its word times. Writes waveform.svg."""

from __future__ import annotations

from array import array
from pathlib import Path

from lineread import tts

TEXT = "Hello, this is a short voice line."
WIDTH, HEIGHT, FOOT = 900, 150, 34
BAR = 3


def main() -> None:
    speech = tts.generate(text=TEXT, voice="Cherry", engine="builtin", cache=False)
    samples = array("h", speech.pcm)
    loudest = max(map(abs, samples))
    per_bar = len(samples) * BAR / WIDTH
    middle = HEIGHT / 2
    size = f'viewBox="0 0 {WIDTH} {HEIGHT + FOOT}" width="{WIDTH}" height="{HEIGHT + FOOT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Waveform of: {TEXT}">',
        f'<rect width="{WIDTH}" height="{HEIGHT + FOOT}" rx="8" fill="#fbfaf7"/>',
    ]
    for index in range(WIDTH // BAR):
        piece = samples[round(index * per_bar) : round((index + 1) * per_bar)]
        peak = max(map(abs, piece), default=0) / loudest
        tall = max(1.0, peak * HEIGHT * 0.95)
        place = f'x="{index * BAR}" y="{middle - tall / 2:.1f}" width="{BAR - 1}" height="{tall:.1f}"'
        parts.append(f'<rect {place} fill="#2f6f6d"/>')
    for word in speech.words:
        left, right = (at / speech.duration * WIDTH for at in (word.start, word.end))
        label = TEXT[slice(*word.span)].strip(",.")
        parts.append(
            f'<path d="M{left + 1:.1f} {HEIGHT + 4} H{right - 1:.1f}" stroke="#c2703d" stroke-width="2"/>'
            f'<text x="{(left + right) / 2:.1f}" y="{HEIGHT + 22}" font-family="sans-serif" font-size="14" '
            f'text-anchor="middle" fill="#333">{label}</text>'
        )
    parts.append("</svg>\n")
    (Path(__file__).parent / "waveform.svg").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
