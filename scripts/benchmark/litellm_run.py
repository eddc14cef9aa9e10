"""Starts the local model and a LiteLLM proxy before it, runs promptsh through both, and checks what came back."""
import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

parser = argparse.ArgumentParser()
parser.add_argument("--program", required=True)
parser.add_argument("--rows", type=int, default=24)
options = parser.parse_args()
WINDOW, REQUESTS = 6, 4

model = subprocess.Popen(["scripts/local-model", "--port", "0", "--seconds", "600"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
upstream = ""
for line in model.stdout:
    if line.startswith("smollm2-135m at "):
        upstream = line.split(" at ")[1].strip()
        break
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "auth.py"), "w") as file:
        file.write("from litellm.proxy._types import UserAPIKeyAuth\n\n\nasync def check(request, api_key):\n"
                   f"    return UserAPIKeyAuth(api_key='hashed-' + api_key[-4:], rpm_limit={REQUESTS})\n")
    with open(os.path.join(folder, "config.yaml"), "w") as file:
        file.write(f"model_list:\n  - model_name: small\n    litellm_params:\n      model: openai/smollm2-135m\n      api_base: {upstream}\n      api_key: none\n"
                   "general_settings:\n  custom_auth: auth.check\nlitellm_settings:\n  num_retries: 0\nrouter_settings:\n  disable_cooldowns: true\n")
    with open(os.path.join(folder, "log"), "w") as log:
        proxy = subprocess.Popen([os.path.abspath(".cache/litellm/bin/litellm"), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)],
                                 cwd=folder, stdout=log, stderr=subprocess.STDOUT,
                                 env={**os.environ, "LITELLM_RATE_LIMIT_WINDOW_SIZE": str(WINDOW), "PYTHONPATH": folder})
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=1)
                break
            except OSError:
                if proxy.poll() is not None:
                    sys.exit("litellm: " + open(os.path.join(folder, "log")).read()[-2000:])
                time.sleep(0.2)
        script = (f'use http://127.0.0.1:{port}/v1 --key-env LITELLM_TEST_KEY\nset concurrency auto\nset retries 8\n'
                  f'let r = map 1..{options.rows} "Name the number {{it}}." --model openai/small --max-tokens 8 --temperature 0\n'
                  "print len(r) len(failed(r))\nr | summarize sum(attempts) max(waited)\nwhy\n")
        start = time.monotonic()
        done = subprocess.run([options.program, "-e", script], capture_output=True, text=True, timeout=400,
                              env={**os.environ, "LITELLM_TEST_KEY": "sk-test-1234"})
        seconds = time.monotonic() - start
        print(done.stdout + done.stderr, end="")
        text = open(os.path.join(folder, "log")).read()
        refused, answered = text.count(" 429 "), text.count('/v1/chat/completions HTTP/1.1" 200')
        print(f"proxy's log: {answered} answered, {refused} refused with 429; {seconds:.1f} s, of which {-(-options.rows // REQUESTS) - 1} windows of {WINDOW} s are the limit's")
        rows, failed = done.stdout.split()[:2]
        if failed != "0" or rows != str(options.rows) or not refused or answered != options.rows:
            sys.exit(f"litellm: not all rows were answered, or nothing was refused\n{text[-1500:]}")
    finally:
        for process in (proxy, model):
            process.terminate()
            process.wait()
