from lineread import tts

with open("doors.pcm", "wb") as player:  # or whatever takes 16-bit samples
    for chunk in tts.generate(text="Doors open at nine. Bring a friend.", voice="Ethan", stream=True):
        player.write(chunk.pcm)
        print(f"{chunk.duration:.2f} s at {chunk.sample_rate} Hz, final: {chunk.final}")
