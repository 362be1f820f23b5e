from lineread import tts

voice = tts.voice_design(
    voice_prompt="A dry, low-pitched museum guide in his fifties.",
    voice_name="guide",
    text="This way, please.",
    language_type="English",
)
print(voice.save("guide.wav"), voice.to_dict())

tts.generate(text="And here is the second hall.", voice="guide", language_type="English").save("hall.mp3")
