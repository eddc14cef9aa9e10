"""Runs `transformers serve` with a tiny model of random weights that is made here; started by scripts/transformers-serve."""

import argparse
import os
import threading

# Nothing is looked for on the hub: the model is a folder.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import uvicorn
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.cli.serve import Serve

NAME = "random-llama"
WORDS = (
    "a and at boat by cold day far fish for from green hill in is it lake long moon near no of old on red rain sea sky "
    "slow stone sun the then tree under water wind with wood"
).split()


def make(folder: str) -> None:
    """A Llama of two layers that never stops by itself: how long an answer takes is what --max-tokens says."""
    torch.manual_seed(21)
    vocabulary = {word: place for place, word in enumerate(["<unk>", "<s>", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", bos_token="<s>")
    tokenizer.chat_template = "{{ bos_token }}{% for message in messages %}{{ message.content }} {% endfor %}"
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=4096, bos_token_id=1, eos_token_id=None, pad_token_id=0))
    model.generation_config = GenerationConfig(
        do_sample=True, max_new_tokens=1024, bos_token_id=1, pad_token_id=0, suppress_tokens=[0, 1])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--seconds", type=float, default=0)
parser.add_argument("--models", required=True)
arguments = parser.parse_args()

os.makedirs(arguments.models, exist_ok=True)
# The server knows a model by its path, as it was given: from here that is its name.
os.chdir(arguments.models)
if not os.path.exists(f"{NAME}/tokenizer.json"):
    make(NAME)
torch.set_num_threads(1)

startup = uvicorn.Server.startup


async def announced(server: uvicorn.Server, sockets=None) -> None:
    await startup(server, sockets)
    port = server.servers[0].sockets[0].getsockname()[1]
    print(f"{NAME} at http://127.0.0.1:{port}/v1", flush=True)
    if arguments.seconds > 0:
        timer = threading.Timer(arguments.seconds, setattr, (server, "should_exit", True))
        timer.daemon = True
        timer.start()


# `transformers serve` says where it listens only in its log, and serves until ^C.
uvicorn.Server.startup = announced
Serve(force_model=NAME, device="cpu", host="127.0.0.1", port=arguments.port)
