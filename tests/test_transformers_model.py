"""A tiny transformers model made on the spot: in the process, and behind `transformers serve`."""

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from fakes import Parrot, open_shelf

from rag import Assistant
from rag.answer.execution import Blocking, blocking
from rag.answer.language_model import Finish, Message, complete
from rag.answer.models import open_model
from rag.answer.openai_model import OpenAIModel
from rag.config import Settings
from rag.errors import WriterError

pytestmark = pytest.mark.models
if any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")):
    pytest.skip("torch and transformers are not installed (make test-models)", allow_module_level=True)

QUESTION = "how much does Marmot increase recall over BM25?"
ASKED = [Message("user", "what do marmots eat")]
TEMPLATE = "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}<|assistant|>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A Llama of one narrow layer with random weights and a tokenizer of bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|user|>", "<|assistant|>", "<|end|>"]
    tokenizer = Tokenizer(models.BPE({letter: at for at, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|end|>")
    fast.add_special_tokens({"additional_special_tokens": special})
    fast.chat_template = TEMPLATE
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=4_096, eos_token_id=fast.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("model") / "tiny-llama"
    LlamaForCausalLM(config).save_pretrained(path)
    fast.save_pretrained(path)
    return path


def test_text_is_generated_and_counted(folder):
    model = open_model(f"hf:{folder}", Settings())
    *pieces, finish = model.stream(ASKED)
    assert (model.name, model.window()) == ("tiny-llama", 4_096)
    assert "".join(pieces)
    assert finish.reason in ("length", "stop")
    assert finish.usage["input_tokens"] == len("<>what do marmots eat") + 1
    assert finish.usage["output_tokens"] > 0


def test_the_end_of_the_answer_is_told_from_the_end_of_the_room(folder, monkeypatch):
    model = open_model(f"hf:{folder}", Settings())
    monkeypatch.setattr("rag.answer.transformers_model.MAX_TOKENS", 40)
    *_, finish = model.stream(ASKED)
    assert finish == Finish("length", {"input_tokens": finish.usage["input_tokens"], "output_tokens": 40})
    _, own = model._load()
    first = own.generate(**_ids(model), max_new_tokens=1, do_sample=False)[0, -1]
    own.generation_config.eos_token_id = int(first)
    *_, finish = model.stream(ASKED)
    assert (finish.reason, finish.usage["output_tokens"]) == ("stop", 1)


def _ids(model):
    from rag.answer.transformers_model import _encoded

    return _encoded(model._load()[0], ASKED)


def test_without_a_chat_template_the_text_is_plain(folder):
    model = open_model(f"hf:{folder}", Settings())
    tokenizer, _ = model._load()
    tokenizer.chat_template = None
    assert tokenizer.decode(_ids(model)["input_ids"][0]) == "what do marmots eat\n\nAnswer:"


def test_what_does_not_fit_is_said(folder):
    model = open_model(f"hf:{folder}", Settings())
    with pytest.raises(WriterError, match="too many for the 4096"):
        next(model.stream([Message("user", "long " * 1_000)]))


def test_a_stream_that_is_left_ends_its_thread(folder):
    model = open_model(f"hf:{folder}", Settings())
    pieces = model.stream(ASKED)
    next(pieces)
    pieces.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "attest-generate"]
    *_, finish = model.stream(ASKED)  # and the model is free again
    assert finish.reason


@pytest.mark.parametrize("path", ["FOLDER", "/nonexistent", "nobody/no-such-model", "a b"])
def test_a_model_that_is_not_there_is_said(tmp_path, path):
    model = open_model(f"hf:{tmp_path if path == 'FOLDER' else path}", Settings())
    with pytest.raises(WriterError, match="no language model can be loaded from"):
        list(blocking(complete(model, ASKED, Blocking(), 20)))


def test_questions_end_in_a_usable_answer(folder, tmp_path):
    open_shelf(tmp_path).close()
    with Assistant.open(tmp_path / "shelf", llm=f"hf:{folder}") as assistant:
        for answer in (assistant.ask(QUESTION), asyncio.run(assistant.aask(QUESTION))):
            # Random weights say nothing of use: what counts is that they were asked, and what then was done.
            assert answer.status == "answered"
            assert "Marmot increases recall by 4.5 points over BM25." in answer.text
            assert "(Written without a language model: the language model tiny-llama " in answer.text


@pytest.fixture(scope="module")
def address(folder, tmp_path_factory):
    """`transformers serve` with the tiny model on a free port."""
    missing = [
        name for name in ("accelerate", "fastapi", "uvicorn", "openai") if importlib.util.find_spec(name) is None
    ]
    if missing:
        pytest.skip(f"transformers serve needs {', '.join(missing)} (make test-models)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = "import sys; from transformers.cli.transformers import main; sys.argv[0] = 'transformers'; main()"
    cache = tmp_path_factory.mktemp("cache")
    log = (cache / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", str(folder), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
        stdout=log, stderr=log, env={**os.environ, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except OSError:
                assert process.poll() is None, Path(log.name).read_text()
                assert time.monotonic() < deadline, Path(log.name).read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()
        log.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_over_http(folder, address):
    settings = Settings(openai_api_key="any", openai_base_url=address)
    *pieces, finish = OpenAIModel(str(folder), settings).stream(ASKED)
    assert "".join(pieces)
    assert finish.reason in ("stop", "length")
    *local, end = open_model(f"hf:{folder}", Settings()).stream(ASKED)
    assert "".join(local).startswith("".join(pieces)[:20])  # the same weights, the same words
    assert end.usage["input_tokens"] == finish.usage["input_tokens"]


def test_questions_over_http(folder, address, tmp_path):
    open_shelf(tmp_path).close()
    settings = Settings(openai_api_key="any", openai_base_url=address, llm=f"openai:{folder}")
    with Assistant.open(tmp_path / "shelf", settings=settings) as assistant:
        answer = asyncio.run(assistant.aask(QUESTION))
        assert answer.status == "answered"
        assert "(Written without a language model: the language model" in answer.text
        assistant._model = Parrot("Marmot increases recall by 4.5 points over BM25 [1].")
        assert assistant.ask(QUESTION).writer == "llm"
