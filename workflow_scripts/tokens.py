"""Tokenize the prompts and gold chains of a task, align them, and write token shards."""

import job
from think_to_talk.jsonl import read_jsonl
from think_to_talk.models import load_tokenizer
from think_to_talk.tokens import write_token_shards

with job.running(globals()) as this:
    write_token_shards(
        load_tokenizer(this.params.model, trust_remote_code=this.params.trust_remote_code),
        {
            split: read_jsonl(getattr(this.input, split), expected=rows)
            for split, rows in this.params.rows.items()
        },
        {"test": this.output.test, "probing_train": this.output.probing_train},
        shots=this.params.shots,
        shard_rows=this.params.shard_rows,
        identity=this.params.identity,
    )
