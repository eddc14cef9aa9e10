"""The program of the asyncio tutorials: AsyncOpenAI, a semaphore, gather.  tutorial.py URL width count"""
import asyncio
import resource
import sys
import time

from openai import AsyncOpenAI

url, width, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


async def main() -> None:
    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    semaphore = asyncio.Semaphore(width)
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.monotonic()

    async def fact(number: int) -> str:
        async with semaphore:
            text = ""
            stream = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": f"fact {number}"}], stream=True, stream_options={"include_usage": True}
            )
            async for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    text += chunk.choices[0].delta.content
            return text

    texts = await asyncio.gather(*(fact(i) for i in range(count)))
    seconds = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{seconds:.4f} {cpu:.4f} {sum(map(len, texts))} 0 {after.ru_maxrss} {sum(not t for t in texts)}")


asyncio.run(main())
