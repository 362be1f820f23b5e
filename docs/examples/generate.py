from lineread import tts

speech = tts.generate(
    text="Hello, this is a short voice line.",
    voice="Cherry",
    language_type="English",
    instruction="Warm and calm tone, slightly slower pace.",
)
print(speech.save("hello.mp3"), f"{speech.duration:.1f} s, {speech.engine}, {speech.characters} characters billed")
print(speech.to_dict())
