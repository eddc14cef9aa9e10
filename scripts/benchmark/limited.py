"""The tutorial program against a limited server: AsyncOpenAI as it comes (two retries), a semaphore, gather. Prints the rows answered."""
import asyncio
import sys

import openai

url, width, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


async def main() -> None:
    client = openai.AsyncOpenAI(base_url=url, api_key="none")
    semaphore = asyncio.Semaphore(width)

    async def ask(index: int) -> bool:
        async with semaphore:
            try:
                stream = await client.chat.completions.create(
                    model="story", messages=[{"role": "user", "content": f"fact {index}"}], max_tokens=30, stream=True)
                async for _ in stream:
                    pass
                return True
            except openai.APIError:
                return False

    print(sum(await asyncio.gather(*[ask(i) for i in range(1, count + 1)])))


asyncio.run(main())
