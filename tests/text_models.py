"""Small randomly initialised sentence-transformers models, saved as it saves them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quarry.search.models.text.embedded import embedded_folder

SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96, "initializer_range": 0.2}
SIZE = 48
PROMPTS = {"query": "query: ", "document": "passage: "}


def save(folder: Path, kind: str) -> Path:
    """Save a model of one of `MODELS` in the new folder `folder`/`kind`."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.manual_seed(7)
    parts, options = MODELS[kind](folder)
    with torch.no_grad():
        for part in parts:
            for name, parameter in part.named_parameters():
                if "embedding.weight" in name or "conv" in name:
                    parameter.mul_(3)  # else all vectors would point the same way
    model = SentenceTransformer(modules=parts, device="cpu", **options)
    target = folder / kind
    model.save(str(target), create_model_card=False)
    shutil.rmtree(folder / "bare", ignore_errors=True)
    return target


def _words(bare: bool = False) -> Any:
    """Return the embedded model's tokenizer; where `bare`, without special tokens."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    words = AutoTokenizer.from_pretrained(str(embedded_folder()))
    if bare:  # a tokenizer of BERT's class would come back with them
        words.backend_tokenizer.post_processor = None
        words = PreTrainedTokenizerFast(
            tokenizer_object=words.backend_tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=512
        )
    return words


def _transformer(folder: Path, family: str = "Bert", stated: int | None = 100, words: Any = None, **sizes: Any) -> Any:
    """Return a transformer of one of transformers' families as a module."""
    import transformers
    from sentence_transformers.sentence_transformer import modules

    words = words or _words()
    shape = {"hidden_size": SIZE, **SHAPE} if family != "DistilBert" else {}
    config = getattr(transformers, f"{family}Config")(vocab_size=len(words), **shape | sizes)
    bare = folder / "bare"
    getattr(transformers, f"{family}Model")(config).save_pretrained(bare)
    words.save_pretrained(bare)
    return modules.Transformer(str(bare), max_seq_length=stated)


def _bert(*after: str, **options: Any) -> Callable[[Path], tuple[list[Any], dict[str, Any]]]:
    """Return what makes a BERT with `after`, modules by name, and options of SentenceTransformer."""

    def make(folder: Path) -> tuple[list[Any], dict[str, Any]]:
        from sentence_transformers.sentence_transformer import modules

        known = {
            "mean": lambda: modules.Pooling(SIZE, pooling_mode="mean"),
            "cls": lambda: modules.Pooling(SIZE, pooling_mode="cls"),
            "unprompted": lambda: modules.Pooling(SIZE, pooling_mode="mean", include_prompt=False),
            "dense": lambda: modules.Dense(SIZE, 24),
            "residual": lambda: modules.Dense(SIZE, 24, use_residual=True),
            "normalize": modules.Normalize,
            "layer-norm": lambda: modules.LayerNorm(SIZE),
            "cnn": lambda: modules.CNN(SIZE, out_channels=16, kernel_sizes=[1, 3, 5]),
        }
        return [_transformer(folder), *(known[name]() for name in after)], options

    return make


def _of(family: str, **sizes: Any) -> Callable[[Path], tuple[list[Any], dict[str, Any]]]:
    """Return what makes a model of another family, with mean pooling."""

    def make(folder: Path) -> tuple[list[Any], dict[str, Any]]:
        from sentence_transformers.sentence_transformer import modules

        return [_transformer(folder, family, **sizes), modules.Pooling(SIZE), modules.Normalize()], {}

    return make


def _wordless(folder: Path) -> tuple[list[Any], dict[str, Any]]:
    from sentence_transformers.sentence_transformer import modules

    return [_transformer(folder, words=_words(bare=True)), modules.Pooling(SIZE)], {}


def _layers(folder: Path) -> tuple[list[Any], dict[str, Any]]:
    from sentence_transformers.sentence_transformer import modules

    transformer = _transformer(folder, output_hidden_states=True)
    weighted = modules.WeightedLayerPooling(SIZE, num_hidden_layers=2, layer_start=1)
    return [transformer, weighted, modules.Pooling(SIZE)], {}


def _lstm(folder: Path) -> tuple[list[Any], dict[str, Any]]:
    import torch
    from sentence_transformers.sentence_transformer import modules
    from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer

    vocabulary = ["how", "do", "stars", "form", "a", "question", "that", "is", "longer", "the", "river", "water", "its"]
    words = modules.WordEmbeddings(WhitespaceTokenizer(vocabulary, stop_words=[]), torch.randn(len(vocabulary), SIZE))
    return [words, modules.LSTM(SIZE, 16), modules.Pooling(32)], {}


def _static(*after: str, **options: Any) -> Callable[[Path], tuple[list[Any], dict[str, Any]]]:
    def make(folder: Path) -> tuple[list[Any], dict[str, Any]]:
        from sentence_transformers.sentence_transformer import modules

        table = modules.StaticEmbedding(_words(), embedding_dim=SIZE)
        return [table, *(getattr(modules, name)(*([SIZE, 24] if name == "Dense" else [])) for name in after)], options

    return make


def _router(folder: Path) -> tuple[list[Any], dict[str, Any]]:
    from sentence_transformers.sentence_transformer import modules

    query = [modules.StaticEmbedding(_words(), embedding_dim=SIZE)]
    document = [_transformer(folder), modules.Pooling(SIZE)]
    return [modules.Router.for_query_document(query, document), modules.Normalize()], {"prompts": PROMPTS}


def _clip(folder: Path) -> tuple[list[Any], dict[str, Any]]:
    import transformers
    from sentence_transformers.sentence_transformer import modules

    words = _words()
    layers = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**layers, "vocab_size": len(words), "max_position_embeddings": 40, "initializer_range": 0.2}
    text |= {"eos_token_id": words.sep_token_id, "bos_token_id": words.cls_token_id, "pad_token_id": 0}
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**layers, "image_size": 32, "patch_size": 8}, projection_dim=SIZE
    )
    bare = folder / "bare"
    transformers.CLIPModel(config).save_pretrained(bare)
    images = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    transformers.CLIPProcessor(image_processor=images, tokenizer=words).save_pretrained(bare)
    return [modules.CLIPModel(str(bare))], {}


_AFTER_PADDING = {"max_position_embeddings": 66, "type_vocab_size": 1, "pad_token_id": 1, "stated": None}
MODELS: dict[str, Callable[[Path], tuple[list[Any], dict[str, Any]]]] = {
    "bert-mean": _bert("mean", "normalize"),
    "bert-cls-prefixes-dense": _bert("cls", "dense", prompts=PROMPTS),
    "bert-residual-cut-dot": _bert("mean", "residual", truncate_dim=16, similarity_fn_name="dot"),
    "prompt-not-pooled": _bert("unprompted", "normalize", prompts=PROMPTS),
    "cnn": _bert("cnn", "mean"),
    "weighted-layers": _layers,
    "lstm": _lstm,
    "wordless": _wordless,
    "xlm-roberta": _of("XLMRoberta", max_position_embeddings=130, type_vocab_size=1, pad_token_id=0),
    "mpnet": _of("MPNet", max_position_embeddings=130, pad_token_id=0),
    "data2vec": _of("Data2VecText", **_AFTER_PADDING),
    "distilbert-layer-norm": lambda folder: (
        [
            _transformer(folder, "DistilBert", dim=SIZE, hidden_dim=96, n_layers=2, n_heads=4, initializer_range=0.2),
            *_bert("mean", "layer-norm")(folder)[0][1:],
        ],
        {},
    ),
    "static": _static(),
    "static-dense-cut": _static("Dense", "Normalize", truncate_dim=16, prompts=PROMPTS),
    "router": _router,
    "clip": _clip,
}
