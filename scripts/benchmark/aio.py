"""The same on aiohttp.  aio.py URL width count"""
import asyncio
import json
import resource
import sys
import time

import aiohttp

url, width, count = sys.argv[1] + "/chat/completions", int(sys.argv[2]), int(sys.argv[3])


async def main() -> None:
    semaphore = asyncio.Semaphore(width)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers={"Authorization": "Bearer none"}) as session:
        before = resource.getrusage(resource.RUSAGE_SELF)
        start = time.monotonic()

        async def fact(number: int) -> str:
            async with semaphore:
                text = ""
                body = {"model": "m", "messages": [{"role": "user", "content": f"fact {number}"}], "stream": True, "stream_options": {"include_usage": True}}
                async with session.post(url, json=body) as reply:
                    async for line in reply.content:
                        if line.startswith(b"data: {"):
                            choices = json.loads(line[6:])["choices"]
                            if choices:
                                text += choices[0]["delta"].get("content") or ""
                return text

        texts = await asyncio.gather(*(fact(i) for i in range(count)))
        seconds = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{seconds:.4f} {cpu:.4f} {sum(map(len, texts))} 0 {after.ru_maxrss} {sum(not t for t in texts)}")


asyncio.run(main())
