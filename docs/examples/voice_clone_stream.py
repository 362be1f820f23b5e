from lineread import tts

voice = tts.voice_clone(
    voice_sample="me.wav",
    voice_name="narrator",
    text="Hello once more.",
    language_type="English",
    consent="Ana Silva, by mail on 2026-11-20: narration of our videos",
    stream=True,
)
with open("hello.pcm", "wb") as player:  # or whatever takes 16-bit samples
    player.writelines(chunk.pcm for chunk in voice)
print(voice.voice_id)
