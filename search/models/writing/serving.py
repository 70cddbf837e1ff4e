"""Writers on transformers: any sequence-to-sequence or causal model, as the Auto classes load it, in torch."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Generator
from typing import Any

from quarry.search.errors import InvalidRequest, ModelError
from quarry.search.models.contracts import Prompt
from quarry.search.models.prepared import Prepared
from quarry.search.models.tokenizing import encodable
from quarry.search.models.writing.card import WritingCard
from quarry.search.models.writing.original import WritingOriginal, load
from quarry.search.models.writing.streams import Closed, Stream, until

_POSITIONS = ("max_encoder_position_embeddings", "max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
_ENDLESS = 1_000_000
_UNSTATED = 1_024  # tokens of a model that states no bound
_QUEUE = 16  # texts that are being written or wait for it: each holds a thread, of which a server has few
# What sampling and beam search are set by: writing is greedy, so that it streams and comes out the same every time.
_NOT_GREEDY = (
    *("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff"),
    *("length_penalty", "early_stopping", "num_return_sequences", "max_length", "min_length"),
    "prompt_lookup_num_tokens",
)


def serve(ready: Prepared[WritingCard]) -> TorchWriter:
    """Return the writer of a model, which is its original: see `search.models.writing`.

    Raises:
        ModelDamaged: it can't be loaded.
    """
    return TorchWriter(load(ready.card))


class TorchWriter:
    """A `WritingModel` over a transformers model. It generates in a thread of its own, one text at a time."""

    def __init__(self, original: WritingOriginal) -> None:
        self.name = original.card.name
        model, tokenizer = original.model, original.tokenizer
        self._model = model
        self._tokenizer = tokenizer
        self._tasks = original.tasks
        self._seq2seq = bool(model.config.is_encoder_decoder)
        self._input, self._output = _bounds(model.config, tokenizer)
        self._tokenizing, self._writing = threading.Lock(), threading.Lock()
        self._queue = threading.BoundedSemaphore(_QUEUE)
        special = sorted({*tokenizer.all_special_tokens, *_added(tokenizer)}, key=len, reverse=True)
        self._special = re.compile("|".join(re.escape(token) for token in special if len(token) > 1) or r"(?!)")
        how = model.generation_config
        for setting in _NOT_GREEDY:
            setattr(how, setting, None)
        how.do_sample, how.num_beams = False, 1
        if how.pad_token_id is None:
            how.pad_token_id = 0  # nothing is padded: texts are written one at a time

    def room(self, max_tokens: int) -> int:
        """Return how many tokens a prompt may have where `max_tokens` are to be written, below 1 where none may."""
        if self._seq2seq:
            return self._input if max_tokens < self._output else 0  # it begins with a token of its own
        return self._input - max_tokens

    def count(self, prompt: Prompt) -> int:
        """Return how many tokens the whole of `prompt` is to this model."""
        return len(self._ids(prompt))

    def write(self, prompt: Prompt, max_tokens: int) -> Generator[str, None, None]:
        """Write at most `max_tokens` tokens, piece by piece; closing the generator ends the writing.

        Raises:
            InvalidRequest: the prompt has more tokens than `room(max_tokens)`; nothing is cut.
            ModelError: the model fails while it writes, or too many texts wait for it.
        """
        ids, room = self._ids(prompt), self.room(max_tokens)
        if max_tokens < 1 or not 0 < len(ids) <= room:
            raise InvalidRequest(
                f"the prompt has {len(ids):,} tokens; {self.name} takes {max(room, 0):,} where it is to write "
                f"{max_tokens:,}. Give fewer passages or a shorter question."
            )
        stops = () if self._seq2seq or self._tokenizer.chat_template else prompt.stops
        return self._pieces(ids, max_tokens, stops)

    def _ids(self, prompt: Prompt) -> list[int]:
        instruction, text = self._harmless(prompt.instruction), self._harmless(prompt.text)
        parts = [instruction, text]
        if self._seq2seq and prompt.task:
            parts = [str((self._tasks.get(prompt.task) or {}).get("prefix") or "") + text]
        elif self._tokenizer.chat_template:
            return self._tokens(self._conversation("\n\n".join(parts)), special=False)
        elif not self._seq2seq:
            parts.append(prompt.cue)
        return self._tokens("\n\n".join(part for part in parts if part), special=True)

    def _conversation(self, said: str) -> str:
        """Put what is said into the model's chat template, as one turn: many templates take no system's turn."""
        try:
            rendered: str = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": said}], tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        except Exception as error:  # a template is a program
            raise ModelError(f"the chat template of {self.name} fails ({error}); use another model.") from error
        return rendered

    def _tokens(self, text: str, *, special: bool) -> list[int]:
        with self._tokenizing:
            encoded = self._tokenizer(text, add_special_tokens=special, truncation=False, verbose=False)
        return list(encoded["input_ids"])

    def _harmless(self, text: str) -> str:
        """Take control characters and lone surrogates out of a text, and apart what the model has a token of."""
        text = encodable(text)
        if any(unicodedata.category(character) == "Cc" for character in text.replace("\n", "")):
            text = "".join(" " if c != "\n" and unicodedata.category(c) == "Cc" else c for c in text)
        return self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

    def _text(self, ids: list[int]) -> str:
        with self._tokenizing:
            return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _pieces(self, ids: list[int], max_tokens: int, stops: tuple[str, ...]) -> Generator[str, None, None]:
        if not self._queue.acquire(blocking=False):
            raise ModelError(f"{self.name} has {_QUEUE} texts to write already: ask again in a minute.")
        stream = Stream(self._text)
        thread = threading.Thread(target=self._generate, args=(ids, max_tokens, stream), name="writer")
        thread.start()
        try:
            yield from until(stops, stream.pieces(self.name))
        finally:
            stream.closed.set()
            thread.join()
            self._queue.release()

    def _generate(self, ids: list[int], max_tokens: int, stream: Stream) -> None:
        import torch

        while not self._writing.acquire(timeout=0.1):
            if stream.closed.is_set():
                return
        try:
            with torch.inference_mode():
                tokens = torch.tensor([ids])
                self._model.generate(
                    input_ids=tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=max_tokens, streamer=stream
                )
        except Closed:
            pass
        except Exception as error:
            stream.fail(error)
        finally:
            self._writing.release()


def _added(tokenizer: Any) -> list[str]:
    """List the tokens that are no part of a vocabulary of pieces, such as `<|im_end|>`."""
    return [str(token.content) for token in tokenizer.added_tokens_decoder.values() if token.special]


def _bounds(config: Any, tokenizer: Any) -> tuple[int, int]:
    """Return how many tokens a model takes and, where it has a decoder of its own, how many it writes."""
    texts = (config.get_text_config(), config)
    stated = [tokenizer.model_max_length, *(getattr(of, name, None) for of in texts for name in _POSITIONS)]
    taken = [int(bound) for bound in stated if isinstance(bound, int | float) and 0 < bound < _ENDLESS]
    written = [getattr(texts[0], name, None) for name in ("max_decoder_position_embeddings", "max_position_embeddings")]
    return min(taken, default=_UNSTATED), next((int(bound) for bound in written if bound), _ENDLESS)
