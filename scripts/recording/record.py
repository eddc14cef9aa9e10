"""Plays a session in tmux, looks at the screen many times a second, and writes what it saw as an animated SVG."""
import argparse
import html
import os
import re
import subprocess
import tempfile
import time
import unicodedata

parser = argparse.ArgumentParser()
parser.add_argument("--program", required=True)
parser.add_argument("--out", required=True)
options = parser.parse_args()
COLUMNS, ROWS, FRAME = 104, 22, 0.12
SOCKET = f"promptsh-record-{os.getpid()}"

# What is typed, and how long it is looked at afterwards. `key:` presses a key.
SESSION = [
    ("let topics = [\"a magical forest\", \"a futuristic city\", \"an underwater civilization\"]", "key:Enter", 0.6),
    ("stream map topics \"Write a short story about {it}.\" --max-tokens 45", "key:Enter", 3.0),
    ("let facts = map 0..199 \"Tell me a fact about number {it}\"", "key:Enter", 2.2),
    ("8+", None, 1.0), ("16+", None, 1.6), (None, "key:C-z", 0.8),
    ("jobs", "key:Enter", 1.2), ("set con", None, 0.3), (None, "key:Tab", 0.6), (" auto", "key:Enter", 1.2),
    ("peek facts | where latency > 1s | take 3", "key:Enter", 1.6), ("why facts", "key:Enter", 1.6),
    ("fg", "key:Enter", 6.0), ("facts | summarize mean(latency) p95(latency) sum(tokens)", "key:Enter", 2.0),
]


def tmux(*arguments: str) -> str:
    return subprocess.run(["tmux", "-L", SOCKET, *arguments], capture_output=True, text=True).stdout


frames: list[tuple[float, str, tuple[int, int]]] = []


def look(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        screen = tmux("capture-pane", "-p", "-e")
        x, y = tmux("display-message", "-p", "#{cursor_x} #{cursor_y}").split()
        if not frames or (screen, (int(x), int(y))) != frames[-1][1:]:
            frames.append((time.monotonic(), screen, (int(x), int(y))))
        time.sleep(FRAME)


with tempfile.TemporaryDirectory() as home:
    subprocess.run(["tmux", "-L", SOCKET, "-f", "/dev/null", "-u", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS),
                    f"env -i HOME={home} PATH=/usr/bin:/bin TERM=screen-256color LANG=C.UTF-8 {options.program}"], check=True)
    try:
        look(1.0)
        for text, key, pause in SESSION:
            for letter in text or "":
                tmux("send-keys", "-l", letter)
                look(0.03)
            if key:
                look(0.25)
                tmux("send-keys", key.removeprefix("key:"))
            look(pause)
    finally:
        tmux("kill-server")

COLOURS = ["#3b4252", "#d0606b", "#8fbf6f", "#e5c07b", "#6f9fd8", "#b58fd0", "#6fc0c8", "#d8dee9"]
WIDTH, HEIGHT = 8.4, 18.0


known: dict[str, int] = {}


def rows(screen: str) -> list[str]:
    """Each row that is not empty, as a reference to its drawing: most rows of a frame stood in the one before."""
    out, y = [], 0
    for place, line in enumerate(screen.split("\n")[:ROWS]):
        x, style, spans = 0, {}, []
        for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
            if piece.startswith("\x1b["):
                for code in [int(c or 0) for c in piece[2:-1].split(";")]:
                    if code == 0: style = {}
                    elif code == 1: style["bold"] = True
                    elif code == 2: style["dim"] = True
                    elif code == 7: style["reverse"] = True
                    elif code == 22: style.pop("bold", None), style.pop("dim", None)
                    elif code == 27: style.pop("reverse", None)
                    elif 30 <= code <= 37: style["colour"] = COLOURS[code - 30]
                    elif code == 39: style.pop("colour", None)
                continue
            if not piece: continue
            wide = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in piece)
            fill = "#20242c" if style.get("reverse") else style.get("colour", "#d8dee9")
            if style.get("reverse"): spans.append(f'<rect x="{x * WIDTH:.1f}" y="{y * HEIGHT:.1f}" width="{wide * WIDTH:.1f}" height="{HEIGHT}" fill="#d8dee9"/>')
            if piece.strip():
                extra = (' font-weight="bold"' if style.get("bold") else "") + (' opacity="0.55"' if style.get("dim") else "")
                spans.append(f'<text x="{x * WIDTH:.1f}" y="{y * HEIGHT + 13.5:.1f}" fill="{fill}"{extra} textLength="{wide * WIDTH:.1f}" xml:space="preserve">{html.escape(piece)}</text>')
            x += wide
        if spans:
            drawing = known.setdefault("".join(spans), len(known))
            out.append(f'<use href="#r{drawing}" y="{place * HEIGHT:.0f}"/>')
    return out


start = frames[0][0]
total = frames[-1][0] - start + 3
body = []
for index, (moment, screen, (x, y)) in enumerate(frames):
    begin = (moment - start) / total * 100
    end = ((frames[index + 1][0] - start) / total * 100) if index + 1 < len(frames) else 100
    body.append(f"<style>@keyframes f{index}{{0%{{visibility:hidden}}{begin:.3f}%{{visibility:visible}}{end:.3f}%{{visibility:hidden}}100%{{visibility:hidden}}}}"
                f"#f{index}{{visibility:hidden;animation:f{index} {total:.2f}s step-end infinite}}</style>" if index + 1 < len(frames) else
                f"<style>@keyframes f{index}{{0%{{visibility:hidden}}{begin:.3f}%{{visibility:visible}}100%{{visibility:visible}}}}"
                f"#f{index}{{animation:f{index} {total:.2f}s step-end infinite}}</style>")
    body.append(f'<g id="f{index}"><rect x="{x * WIDTH:.1f}" y="{y * HEIGHT:.1f}" width="{WIDTH}" height="{HEIGHT}" fill="#d8dee9" opacity="0.5"/>' + "".join(rows(screen)) + "</g>")
w, h = COLUMNS * WIDTH + 24, ROWS * HEIGHT + 24
with open(options.out, "w") as file:
    file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:.0f} {h:.0f}" font-family="ui-monospace,SFMono-Regular,Menlo,DejaVu Sans Mono,monospace" font-size="14">'
               + "<defs>" + "\n".join(f'<g id="r{number}">{drawing}</g>' for drawing, number in known.items()) + "</defs>"
               + f'<rect width="100%" height="100%" rx="8" fill="#20242c"/><g transform="translate(12 12)">' + "\n".join(body) + "</g></svg>\n")
print(f"{options.out}: {len(frames)} frames, {total:.0f} s, {os.path.getsize(options.out) >> 10} KiB")
