"""Tokenize the prompts and gold chains of a task, align them, and write token shards."""

import warnings

import job
from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.models.loading import Checkpoint
from think_to_talk.models.positions import Length, check_length
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.write_shards import write_token_shards

with job.running(globals()) as this:
    checkpoint = Checkpoint(**this.params.checkpoint)

    def check(prompt: int, chain: int) -> None:
        """Refuse or warn of rows that are longer than the model's positions."""
        length = Length(prompt, max(chain, this.params.max_new_tokens))
        trusted = checkpoint.trust_remote_code
        if warning := check_length(checkpoint.config, length, trust_remote_code=trusted):
            warnings.warn(warning, stacklevel=1)

    write_token_shards(
        checkpoint.tokenizer(),
        {
            split: read_jsonl(getattr(this.input, split), expected=rows)
            for split, rows in this.params.rows.items()
        },
        {"test": this.output.test, "probing_train": this.output.probing_train},
        shots=this.params.shots,
        bos=this.params.bos,
        chat=Chat.from_config(this.params.chat),
        shard_rows=this.params.shard_rows,
        identity=this.params.identity,
        check_length=check,
        end_ids=checkpoint.end_ids(),
    )
