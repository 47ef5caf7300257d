"""Write the ceilings that a task in free text gives, span by span of its problem."""

import job
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.formulas.symbols import variable_number

with job.running(globals()) as this:
    write_jsonl(
        this.output[0],
        (
            {"symbol_index": span, "variable": variable_number(target), "ceiling": ceiling}
            for target, ceilings in this.params.ceilings.items()
            for span, ceiling in enumerate(ceilings)
        ),
    )
