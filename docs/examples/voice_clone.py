from lineread import tts

voice = tts.voice_clone(
    voice_sample="me.wav",
    voice_name="narrator",
    text="Hello in my own voice.",
    language_type="English",
    consent="Ana Silva, by mail on 2026-11-20: narration of our videos",
)
print(voice.save("hello.wav"), voice.to_dict())

tts.generate(text="And here is the second hall.", voice="narrator", language_type="English").save("hall.mp3")
