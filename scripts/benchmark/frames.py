"""Lists the async functions with the largest frames on the heap; started by scripts/budget --frames.

An async function keeps its frame for as long as what it calls takes: of the functions between a row and the wire that is the whole
call, so a large value that is copied about in them costs memory for every stream. How large a frame is stands beside the function
(`async function pointer`: offset and size, 4 bytes each, little-endian).
Source: Swift's docs/ABI/Mangling.rst (`Tu`), and AsyncFunctionPointer in include/swift/ABI/Executor.h.
"""
import argparse
import struct
import subprocess

from demangle import demangled

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--top", type=int, default=40)
options = parser.parse_args()


def lines(*command: str) -> list[list[str]]:
    return [line.split() for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()]


segments = [(int(p[2], 16), int(p[1], 16), int(p[4], 16)) for p in lines("readelf", "-lW", options.program) if p[:1] == ["LOAD"]]
frames = []
with open(options.program, "rb") as file:
    for parts in lines("nm", "--defined-only", options.program):
        if len(parts) != 3 or not parts[2].endswith("Tu"):
            continue
        address = int(parts[0], 16)
        for start, offset, size in segments:
            if start <= address < start + size:
                file.seek(offset + address - start)
                _, frame = struct.unpack("<iI", file.read(8))
                frames.append((frame, parts[2]))
frames.sort(reverse=True)
top = frames[: options.top]
for (frame, _), name in zip(top, demangled([name for _, name in top])):
    print(f"{frame:8,}  {name.removeprefix('async function pointer to ')[:150]}")
