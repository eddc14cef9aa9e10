"""One long-lived promptsh against a server that refuses, fails, cuts, stalls and bursts. Every round: rows in = rows answered + rows
failed. At the end: memory and descriptors flat, and the server's own log agrees with what the replies say."""
import argparse
import json
import os
import subprocess
import sys
import threading
import urllib.request

parser = argparse.ArgumentParser()
parser.add_argument("--program", required=True)
parser.add_argument("--minutes", type=float, default=3)
options = parser.parse_args()
ROWS = 1000

server = subprocess.Popen(
    [options.program, "simulate", "--port", "0", "--faults", "429=0.08,500=0.05,cut=0.05,stall=0.01", "--rpm", "1000000", "--bursts",
     "--seconds", str(int(options.minutes * 60) + 120)], stdout=subprocess.PIPE, text=True)
base = server.stdout.readline().split(" at ")[1].strip()
script = f"""
use {base}
set concurrency auto 8..256
set first-token-timeout 2s
set idle-timeout 1s
set stop-after off
let start = now()
for round in 1..1000000 {{
  let rows = map 1..{ROWS} "round {{round}}, row {{it}}" --model openai/flaky
  let sums = rows | summarize sum(attempts)
  let stream = ask "round {{round}}" --model openai/flaky --timeout 5s
  print len(rows) len(failed(rows)) sums.sum_attempts stream.attempts
  if seconds(now() - start) > {options.minutes * 60} {{ exit 0 }}
}}
"""
client = subprocess.Popen([options.program, "-e", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def standing() -> tuple[int, int]:
    """Resident KB and open descriptors."""
    with open(f"/proc/{client.pid}/status") as status:
        rss = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return rss, len(os.listdir(f"/proc/{client.pid}/fd"))


rounds, rows, failed, attempts, samples = 0, 0, 0, 0, []
ended = threading.Event()


def sample() -> None:
    while not ended.wait(1):
        try:
            samples.append(standing())
        except (OSError, StopIteration):
            return


watcher = threading.Thread(target=sample)
watcher.start()
for line in client.stdout:
    here, lost, sent, streamed = (int(float(word)) for word in line.split())
    if here != ROWS:
        sys.exit(f"soak: {here} rows came back of {ROWS}")
    rounds, rows, failed, attempts = rounds + 1, rows + here + 1, failed + lost, attempts + sent + streamed
status = client.wait()
ended.set()
watcher.join()
stats = json.load(urllib.request.urlopen(base.removesuffix("/v1") + "/stats"))
server.terminate()
server.wait()
if status not in (0, 3):
    sys.exit(f"soak: promptsh ended with {status}")
warm = samples[len(samples) // 4:]
first, last = warm[0], warm[-1]
accounted = stats["completed"] + stats["refused"] + stats["abandoned"]
print(f"{rounds} rounds, {rows} rows: {rows - failed} answered, {failed} failed; {attempts} tries by the replies, {stats['requests']} requests by the server's log "
      f"({stats['completed']} completed, {stats['refused']} refused, {stats['abandoned']} broken off, {stats['live']} live)")
print(f"memory {first[0] >> 10} → {last[0] >> 10} MB (most {max(s[0] for s in warm) >> 10}), descriptors {first[1]} → {last[1]} (most {max(s[1] for s in warm)})")
problems = []
if attempts != stats["requests"]: problems.append("the server saw another number of requests")
if accounted != stats["requests"] or stats["live"]: problems.append("requests are unaccounted for")
if last[0] > first[0] * 1.2 + 8192: problems.append("memory grew")
if last[1] > first[1] + 64: problems.append("descriptors grew")
sys.exit("soak: " + "; ".join(problems) if problems else 0)
