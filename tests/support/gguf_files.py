"""A small GGUF file, written for tests: a Llama with random weights, some of them quantised."""

import gguf
import numpy as np
from tokenizers.pre_tokenizers import ByteLevel

#: Of the model; a quantised weight takes a multiple of 32 values a row.
WIDTH, INNER, HEADS, LAYERS = 64, 96, 2, 2
#: Ids of the tokens before the 256 bytes, and what their text is.
SPECIAL = ("<unk>", "<s>", "<end>")
TEMPLATE = "{% for message in messages %}{{ message['content'] }}<end>{% endfor %}"


def small_gguf(path, seed=0):
    """Write a small model of a token per byte, and one more; its tokenizer has a chat template.

    path: of the file. seed: of the weights.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("small")
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    tokens = [*SPECIAL, *sorted(ByteLevel.alphabet()), "th"]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    kinds = [gguf.TokenType.CONTROL] * len(SPECIAL)
    writer.add_token_types(kinds + [gguf.TokenType.NORMAL] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(["t h"])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    for name, values in _weights(len(tokens), np.random.default_rng(seed)).items():
        if values.ndim == 1:
            writer.add_tensor(name, values)
            continue
        packed = gguf.quantize(values, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(name, packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _weights(vocabulary, random):
    """{name in the file: values [out, in]} of all weights; norms are ones."""

    def matrix(*shape):
        return random.normal(scale=0.1, size=shape).astype(np.float32)

    ones = np.ones(WIDTH, dtype=np.float32)
    weights = {
        "token_embd.weight": matrix(vocabulary, WIDTH),
        "output_norm.weight": ones,
        "output.weight": matrix(vocabulary, WIDTH),
    }
    for block in (f"blk.{layer}" for layer in range(LAYERS)):
        weights |= {
            **{f"{block}.attn_{name}.weight": matrix(WIDTH, WIDTH) for name in "qkv"},
            f"{block}.attn_output.weight": matrix(WIDTH, WIDTH),
            f"{block}.ffn_gate.weight": matrix(INNER, WIDTH),
            f"{block}.ffn_up.weight": matrix(INNER, WIDTH),
            f"{block}.ffn_down.weight": matrix(WIDTH, INNER),
            f"{block}.attn_norm.weight": ones,
            f"{block}.ffn_norm.weight": ones,
        }
    return weights
