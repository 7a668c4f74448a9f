"""A local transformers model as language model, by folder or hub name."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import Any

from rag.answer.execution import in_thread
from rag.answer.language_model import MAX_TOKENS, Finish, Message, Piece
from rag.errors import WriterError

# Where a configuration does not say how much the model takes in.
WINDOW = 4_096
# Fewer tokens than this hold no answer.
SHORTEST = 32


class TransformersModel:
    """Greedy decoding on a GPU if there is one. Loaded once, when first asked; answers one question at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.name = Path(path).name if Path(path).is_dir() else path
        self._loading, self._busy = threading.Lock(), threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    def window(self) -> int:
        _, model = self._load()
        config = model.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or WINDOW)

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        tokenizer, model = self._load()
        window = self.window()
        inputs = _encoded(tokenizer, messages)
        read = inputs["input_ids"].shape[1]
        room = min(MAX_TOKENS, window - read)
        if room < SHORTEST:
            raise WriterError(f"the prompt has {read} tokens, too many for the {window} of {self.name}")
        with self._busy:
            yield from _generated(tokenizer, model, inputs, room)

    async def astream(self, messages: Sequence[Message]) -> AsyncGenerator[Piece, None]:
        async for piece in in_thread(self.stream(messages)):
            yield piece

    def _load(self) -> tuple[Any, Any]:
        """Tokenizer and model.

        Raises:
            WriterError: transformers or torch is missing, or there is no such model.
        """
        with self._loading:
            if self._loaded is None:
                try:
                    import torch
                    from transformers import AutoModelForCausalLM, AutoTokenizer
                except ImportError as error:
                    raise WriterError("transformers is not installed", hint="pip install 'attest[hf]'") from error
                try:
                    tokenizer = AutoTokenizer.from_pretrained(self._path, trust_remote_code=False)
                    model: Any = AutoModelForCausalLM.from_pretrained(self._path, dtype="auto", trust_remote_code=False)
                except (OSError, ValueError) as error:
                    raise WriterError(
                        f"no language model can be loaded from {self._path!r}",
                        hint="hf: takes a folder with a transformers model, or the name of one that the hub has or that was fetched before",
                    ) from error
                self._loaded = tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
            return self._loaded


def _encoded(tokenizer: Any, messages: Sequence[Message]) -> Any:
    if tokenizer.chat_template:
        said = [{"role": message.role, "content": message.content} for message in messages]
        return tokenizer.apply_chat_template(said, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    text = "\n\n".join(message.content for message in messages)
    return tokenizer(f"{text}\n\nAnswer:", return_tensors="pt")


def _generated(tokenizer: Any, model: Any, inputs: Any, room: int) -> Iterator[Piece]:
    """Text as it is generated, in a thread that ends when this generator is closed."""
    from transformers import TextIteratorStreamer

    streamer: Any = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    stopped, outcome = threading.Event(), []

    def generate() -> None:
        try:
            outcome.append(
                model.generate(
                    **inputs.to(model.device),
                    max_new_tokens=room,
                    do_sample=False,
                    streamer=streamer,
                    stopping_criteria=[lambda ids, _: ids.new_full((ids.shape[0],), stopped.is_set()).bool()],
                )
            )
        except Exception as error:
            outcome.append(error)
        finally:
            streamer.end()

    thread = threading.Thread(target=generate, name="attest-generate", daemon=True)
    thread.start()
    try:
        yield from (text for text in streamer if text)
    finally:
        stopped.set()
        thread.join()
    (result,) = outcome
    if isinstance(result, Exception):
        raise result
    read = inputs["input_ids"].shape[1]
    ends = model.generation_config.eos_token_id
    whole = int(result[0, -1]) in (ends if isinstance(ends, list) else [ends])
    usage = {"input_tokens": read, "output_tokens": int(result.shape[1]) - read}
    yield Finish("stop" if whole else "length", usage)
