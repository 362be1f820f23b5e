from lineread import tts

voice = tts.voice_design(
    voice_prompt="A dry, low-pitched museum guide in his fifties.",
    voice_name="guide",
    text="Please mind the step.",
    language_type="English",
    stream=True,
)
with open("guide.pcm", "wb") as player:  # or whatever takes 16-bit samples
    player.writelines(chunk.pcm for chunk in voice)
print(voice.voice_id)
