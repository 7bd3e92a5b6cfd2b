"""Networks of transformers, tiny, of the kinds that people convert: two layers of width 32.

``hf:bert(mask)`` takes token ids, of which those up to `PADDING` count as padding; ``hf:bert`` attends to all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

PADDING = 40
WIDTH = 32
ENCODER = {
    "vocab_size": 256, "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 64, "pad_token_id": 0,
}  # fmt: skip
DECODER = ENCODER | {"num_key_value_heads": 2}
VISION = {
    "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
GPT = {"vocab_size": 256, "n_embd": WIDTH, "n_layer": 2, "n_head": 4, "n_positions": 64}
CONFIGS: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "bert": ("BertModel", ENCODER, "last_hidden_state"),
    "roberta": ("RobertaModel", ENCODER | {"pad_token_id": 1}, "last_hidden_state"),
    "distilbert": (
        "DistilBertModel", {"vocab_size": 256, "dim": WIDTH, "n_layers": 2, "n_heads": 4, "hidden_dim": 48},
        "last_hidden_state",
    ),
    "albert": ("AlbertModel", ENCODER | {"embedding_size": 16}, "last_hidden_state"),
    "electra": ("ElectraModel", ENCODER | {"embedding_size": 16}, "last_hidden_state"),
    "mobilebert": (
        "MobileBertModel",
        ENCODER | {"embedding_size": WIDTH, "intra_bottleneck_size": 16, "true_hidden_size": 16}, "last_hidden_state",
    ),
    "deberta-v2": (
        "DebertaV2Model",
        ENCODER | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_buckets": 8},
        "last_hidden_state",
    ),
    "modernbert": (
        "ModernBertModel",
        ENCODER | {"global_attn_every_n_layers": 2, "local_attention": 8, "bos_token_id": 1, "eos_token_id": 2,
                   "cls_token_id": 1, "sep_token_id": 2},
        "last_hidden_state",
    ),
    "t5-encoder": (
        "T5EncoderModel", {"vocab_size": 256, "d_model": WIDTH, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4},
        "last_hidden_state",
    ),
    "clip-text": (
        "CLIPTextModel", ENCODER | {"eos_token_id": 255, "bos_token_id": 254}, "pooler_output",
    ),
    "llama": ("LlamaForCausalLM", DECODER, "logits"),
    "mistral": ("MistralForCausalLM", DECODER | {"sliding_window": 8}, "logits"),
    "qwen2": ("Qwen2ForCausalLM", DECODER, "logits"),
    "phi": ("PhiForCausalLM", DECODER, "logits"),
    "gemma2": ("Gemma2ForCausalLM", DECODER | {"head_dim": 8, "sliding_window": 8}, "logits"),
    "gpt2": ("GPT2LMHeadModel", GPT, "logits"),
    "mamba": (
        "MambaForCausalLM", {"vocab_size": 256, "hidden_size": WIDTH, "num_hidden_layers": 2, "state_size": 8},
        "logits",
    ),
    "vit": ("ViTModel", VISION, "pooler_output"),
    "dinov2": ("Dinov2Model", VISION | {"mlp_ratio": 2}, "pooler_output"),
    "siglip": ("SiglipVisionModel", VISION, "pooler_output"),
    "swinv2": (
        "Swinv2Model",
        {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4},
        "last_hidden_state",
    ),
    "segformer": (
        "SegformerForSemanticSegmentation",
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4],
         "decoder_hidden_size": 16},
        "logits",
    ),
    "wav2vec2": (
        "Wav2Vec2Model",
        {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
         "conv_dim": (16, 16), "conv_stride": (5, 2), "conv_kernel": (10, 3), "num_feat_extract_layers": 2,
         "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2},
        "last_hidden_state",
    ),
}  # fmt: skip
"""Class of the model, arguments of its configuration, and the part of the answer, by name."""
KINDS: Mapping[str, Callable[[Tensor], dict[str, Tensor]]] = {
    "": lambda ids: {},
    "mask": lambda ids: {"attention_mask": (ids > PADDING).long()},
}


class OneInput(nn.Module):
    """A model that takes one tensor, and answers with one."""

    def __init__(self, model: nn.Module, answer: str, kind: str) -> None:
        super().__init__()
        self.model, self.answer, self.kind = model, answer, kind
        model.config.use_cache = False

    def forward(self, x: Tensor) -> Tensor:
        """Call the model on ids or on images."""
        made: Tensor = getattr(self.model(x, **KINDS[self.kind](x)), self.answer)
        return made


def build(name: str, kind: str) -> nn.Module:
    """Make one with random weights."""
    import transformers

    model, arguments, answer = CONFIGS[name]
    kept = getattr(transformers, model)
    return OneInput(kept(kept.config_class(**arguments)), answer, kind)
