"""Disk that a study takes, computed before anything runs.

`study.cost` writes it on the page of costs, and a run says it when it starts.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from think_to_talk.study.needs import Needs
from think_to_talk.study.plan import STUDIED_SPLITS, StudyPlan

#: Bytes of a row of a probe and of the logit lens per test row: its number, its value, and what is
#: predicted.
_BYTES_PER_PREDICTION = 12


@dataclass(frozen=True)
class Disk:
    """Bytes over all seeds.

    hidden: hidden states. largest: those of the task with the most.
    weights: weights of probes. rows: rows of probes and of the logit lens.
    checkpoint: of a model that is downloaded or unpacked, or trained once per seed.
    """

    hidden: int
    largest: int
    weights: int
    rows: int
    checkpoint: int

    @classmethod
    def of_model(cls, study: StudyPlan, needs: Needs, model: str) -> Disk:
        """What one model takes."""
        seeds, entry = len(study.seeds), study.models[model]
        hidden = {
            task: sum(
                needs.hidden_state_bytes(model, task, study.n_rows(task, split))
                for split in STUDIED_SPLITS
            )
            for task in entry.tasks
        }
        stored = {"hub": 1, "train": seeds, "local": int(entry.is_unpacked)}[entry.kind]
        return cls(
            hidden=seeds * sum(hidden.values()),
            largest=max(hidden.values()),
            weights=seeds * sum(needs.probe_weight_bytes(model, task) for task in entry.tasks),
            rows=seeds * sum(_row_bytes(study, needs, model, task) for task in entry.tasks),
            checkpoint=0 if entry.is_untrained else stored * needs.parameter_bytes(model),
        )

    @classmethod
    def of_study(cls, study: StudyPlan, needs: Needs) -> Disk:
        """What all models take."""
        parts = [cls.of_model(study, needs, model) for model in study.models]
        hidden, _, weights, rows, checkpoint = map(sum, zip(*map(astuple, parts), strict=True))
        largest = max(part.largest for part in parts)
        return cls(hidden, largest, weights, rows, checkpoint)

    @property
    def kept(self) -> int:
        """What stays when hidden states are deleted."""
        return self.weights + self.rows + self.checkpoint

    def sentence(self, keeps_hidden_states: bool) -> str:
        """What the study takes, in a sentence."""
        parts = f"probe weights {size(self.weights)}, rows {size(self.rows)}, models "
        parts += size(self.checkpoint)
        if keeps_hidden_states:
            total = size(self.hidden + self.kept)
            return f"about {total} in all: hidden states {size(self.hidden)}, {parts}"
        least, most = size(self.largest + self.kept), size(self.hidden + self.kept)
        return (
            f"about {size(self.kept)} in the end ({parts}); while it runs, with hidden states, "
            f"at least {least} and at most {most}"
        )


def size(n_bytes: int) -> str:
    """A number of bytes in a unit that suits it."""
    for unit, bound in (("TB", 2**40), ("GB", 2**30)):
        if n_bytes >= bound:
            return f"{n_bytes / bound:.1f} {unit}"
    return f"{n_bytes / 2**20:.0f} MB"


def _row_bytes(study: StudyPlan, needs: Needs, model: str, task: str) -> int:
    """Bytes of the rows of a task's probes, and of the logit lens if it reads them."""
    states = len(needs.layers(model)) * needs.prompt(model, task).stored
    # The logit lens reads values alone; probes read their digits, too.
    kinds = 1 + study.n_digits(task) + (task in study.lens_tasks(model))
    n_test = study.n_rows(task, "test")
    return states * study.n_variables(task) * n_test * _BYTES_PER_PREDICTION * kinds
