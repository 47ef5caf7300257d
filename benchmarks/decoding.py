"""Hidden states: verified decoding, against `generate` with one file per row."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import torch

from alternatives import generate_and_save
from bench import IDENTITY, Bench, default_config
from libraries import has_nnsight, trace_and_save
from measure import Row, floors, in_turn, seconds, share_of_floor
from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states.allocator import keep_freed_memory
from think_to_talk.hidden_states.model_check import check_model
from think_to_talk.hidden_states.shards import write_hidden_states
from think_to_talk.models.layers import saved_layers
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.shards import TokenShard
from think_to_talk.tokens.write_shards import write_token_shards


def hidden_states_tiny(bench: Bench) -> list[Row]:
    """The trained model, which is nearly always right."""
    tokens = next(
        (bench.results / f"tiny/seed-42/tokens/{bench.level}/probing_train").glob("*.safetensors")
    )
    dataset = bench.results / f"formulas/seed-42/{bench.level}/probing_train.jsonl"
    return _hidden_states(
        bench,
        "hidden states, tiny",
        Checkpoint(bench.results / "models/tiny/seed-42"),
        TokenShard.open(tokens, {}),
        read_jsonl(dataset),
        layers="all",
        limit=100,
        batch_size=64,
        rows=(40, 8) if bench.tiny else (4000, 160),
        rounds=1 if bench.tiny else 3,
        target=20,
    )


def hidden_states_smollm2(bench: Bench) -> list[Row]:
    """A pretrained model that is always wrong, with three examples."""
    n = 16 if bench.tiny else 128
    sizes = {"train": 10, "valid": 1, "test": n, "probing_train": 1}
    dataset = generate_splits(default_config()["tasks"]["level-3"], sizes, 42)["test"]
    tokens = bench.folder / "smollm2-tokens.safetensors"
    write_token_shards(
        bench.smollm2.tokenizer(),
        {"test": dataset},
        {"test": [tokens]},
        shots=3,
        shard_rows=n,
        identity={**IDENTITY, "task": "level-3"},
    )
    return _hidden_states(
        bench,
        "hidden states, SmolLM2",
        bench.smollm2,
        TokenShard.open(tokens, {}),
        dataset,
        layers=6,
        limit=8 if bench.tiny else 60,
        batch_size=64,
        rows=(n, 8) if bench.tiny else (n, 16),
        rounds=1,
        target=6,
    )


def _hidden_states(
    bench: Bench,
    part: str,
    checkpoint: Checkpoint,
    tokens: TokenShard,
    dataset: list[dict[str, Any]],
    *,
    layers: str | int,
    limit: int,
    batch_size: int,
    rows: tuple[int, int],
    rounds: int,
    target: float,
) -> list[Row]:
    """Rows per second from token ids to files; rows: how many we take, and the alternative."""
    keep_freed_memory()
    model, tokenizer = checkpoint.model(), checkpoint.tokenizer()
    facts = check_model(model).facts
    chosen = saved_layers(layers, model.config.num_hidden_layers)
    n, n_other = rows
    ours = replace(tokens, problem=tokens.problem[:n], gold=tokens.gold[:n], row=tokens.row[:n])
    n = len(ours.row)
    prompts = torch.cat(
        [torch.tensor(list(tokens.prefix)).expand(n_other, -1), tokens.problem[:n_other]], dim=1
    ).long()
    saved = bench.folder / "saved"
    written = bench.folder / "ours.safetensors"
    generated: list[list[int]] = []

    def write(cot: str = "generated") -> None:
        write_hidden_states(
            model,
            facts,
            tokenizer,
            ours,
            dataset,
            layers=chosen,
            max_new_tokens=limit,
            batch_size=batch_size,
            cot=cot,
            identity={**IDENTITY, "revision": "", "task": "", "split": ""},
            hidden_path=written,
            generations_path=written.with_suffix(".jsonl"),
        )

    settings = (chosen, tokens.stop_ids, limit, saved)

    def save() -> None:
        with torch.inference_mode():
            generated[:] = generate_and_save(model, prompts, *settings)

    def trace() -> None:
        generated[:] = trace_and_save(model, tokenizer, prompts, *settings)

    if rounds > 1:
        # Memory that the machine has never used before is slow the first time.
        write()
    table = []
    for by, other in {"generate": save, **({"nnsight": trace} if has_nnsight() else {})}.items():
        saved.mkdir()
        took, took_other = in_turn(write, other, rounds)
        shutil.rmtree(saved)
        texts = tokenizer.batch_decode(generated, skip_special_tokens=True)
        for row, text in zip(read_jsonl(written.with_suffix(".jsonl")), texts, strict=False):
            if row["generation"] != text.split("\n")[0].strip():
                raise RuntimeError(f"{part}: generations differ: {row['generation']!r}, {text!r}")
        rate, rate_other = n / took, n_other / took_other
        table.append(
            Row(
                part,
                "rows/s, the same generations",
                f"{rate:.1f}",
                f"{rate_other:.2f} by {by}, batch 8, one .pt per row and layer",
                rate / rate_other,
                f"≥ {target} ×",
                rate / rate_other >= target,
            )
        )
    passed = seconds(lambda: write("gold"))
    least = floors(bench.machine, lambda: write("gold"))
    table.append(share_of_floor(part, "teacher-forced passes", passed, least))
    written.unlink()
    written.with_suffix(".jsonl").unlink()
    return table
