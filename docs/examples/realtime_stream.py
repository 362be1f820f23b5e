import asyncio

from lineread import tts


async def model():  # the language model's tokens
    for token in ["Good eve", "ning", ", every", "body", ". Doors", " open", " at 9", ":30", "."]:
        yield token


async def main():
    async with tts.live(voice="Cherry", language_type="English") as session:

        async def write():
            async for token in model():
                await session.write(token)
            await session.end()

        writing = asyncio.create_task(write())
        with open("evening.pcm", "wb") as player:  # or whatever takes 16-bit samples
            async for chunk in session:
                player.write(chunk.pcm)
                print(f"characters {chunk.span}: {chunk.duration:.2f} s")
        await writing


asyncio.run(main())
