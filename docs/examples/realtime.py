from lineread import tts

said = tts.realtime(["Doors ", "open ", "at nine."], voice="Cherry", language_type="English")
print(said.save("doors.wav"), said.finish_reason, said.sample_rate, len(said.audio_base64_pcm_chunks))
