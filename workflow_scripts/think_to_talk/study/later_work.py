"""The work of the jobs that run a model after its hidden states are there: passes, and time.

`study.needs` asks for their time limits with it, and `study.cost` adds it up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from think_to_talk.formulas.symbols import SEPARATORS
from think_to_talk.study import work as work_
from think_to_talk.study.work import Work

if TYPE_CHECKING:
    from think_to_talk.study.needs import Needs


class LaterWork:
    """The work of each kind of job, for one seed of a model and task.

    needs: sizes, prompts and placements of the models.
    """

    def __init__(self, needs: Needs) -> None:
        self._needs = needs

    def lens(self, model: str, task: str) -> Work:
        """The logit lens on the hidden states of a task's test rows."""
        return work_.lens_work(
            self._needs.sizes(model),
            self._needs.prompt(model, task),
            self._needs.study.n_rows(task, "test"),
            len(self._needs.layers(model)),
            self._needs.placement(model),
        )

    def forced(self, model: str, task: str) -> Work:
        """Forced answers of a task's test rows: a few tokens more at each equation of a chain."""
        _, _, target = self._needs.study.sample(task)
        return work_.forced_work(
            self._needs.sizes(model),
            self._needs.prompt(model, task),
            self._needs.study.n_rows(task, "test"),
            sum(map(target.count, SEPARATORS)) + 1,
            self._needs.study.tasks[task].n_classes - 1,
            self._needs.placement(model),
        )

    def patching(self, model: str, task: str) -> Work:
        """Patching on a task: the sliding grid, of which most passes are part of a row only."""
        interventions, entry = self._needs.study.interventions, self._needs.study.tasks[task]
        _, source, target = self._needs.study.sample(task)
        equations = source.count(",") + target.count(",") + 3
        windows = 1 + self._needs.sizes(model).num_hidden_layers // interventions.stride
        donors = 1 + interventions.random_donor
        runs = interventions.pairs * donors * len(entry.edits) * equations * windows
        return work_.with_whole_numbers(
            self._needs.work(model, task, runs).without_divergence(),
            self._needs.sizes(model),
            runs,
            target.count(",") + 1,
            entry.n_classes - 1,
            self._needs.placement(model),
        )

    def free_writing(self, model: str, task: str) -> Work:
        """Free writing on a task: windows of the grid in the problem, and each run unpatched."""
        interventions, entry = self._needs.study.interventions, self._needs.study.tasks[task]
        _, source, _ = self._needs.study.sample(task)
        windows = 1 + self._needs.sizes(model).num_hidden_layers // interventions.stride
        specs = (source.count(",") + 2) * windows + 1 + len(interventions.specs)
        runs = interventions.pairs * len(entry.edits) * (specs + 2)
        return self._needs.work(model, task, runs)

    def patched_probes(self, model: str, task: str) -> Work:
        """Probes on patched runs of a task: both runs of each pair, and one under each spec."""
        interventions, edits = (
            self._needs.study.interventions,
            len(self._needs.study.tasks[task].edits),
        )
        return work_.patched_probes_work(
            self._needs.sizes(model),
            self._needs.prompt(model, task),
            interventions.pairs * edits,
            len(interventions.specs),
            len(self._needs.layers(model)) * self._needs.study.n_variables(task),
            self._needs.study.tasks[task].n_classes,
            self._needs.placement(model),
        )

    def inconsistent(self, model: str, task: str) -> Work:
        """Going on from inconsistent chains of a task, and writing those chains without them."""
        results = len(self._needs.study.tasks[task].intermediate_variables)
        return self._needs.work(model, task, 2 * results * self._needs.study.interventions.pairs)

    def steering(self, model: str, task: str) -> Work:
        """Steering on a task: at most at one place per variable and equation."""
        steering, entry = self._needs.study.steering, self._needs.study.tasks[task]
        _, source, target = self._needs.study.sample(task)
        equations = source.count(",") + target.count(",") + 3
        places = len(entry.steered_variables) * equations
        runs = steering.problems * places * len(steering.factors) * (1 + steering.controls)
        return self._needs.work(model, task, runs)

    def of_model(self, model: str) -> list[Work]:
        """The work of each of the model's jobs after hidden states that run it, for one seed."""
        return [
            *(self.lens(model, task) for task in self._needs.study.lens_tasks(model)),
            *(self.forced(model, task) for task in self._needs.study.forced_tasks(model)),
            *(self.steering(model, task) for task in self._needs.study.steered_tasks(model)),
            *(self.patching(model, task) for task in self._needs.study.patched_tasks(model)),
            *(self.free_writing(model, t) for t in self._needs.study.freely_writing_tasks(model)),
            *(self.patched_probes(model, t) for t in self._needs.study.patched_probe_tasks(model)),
            *(
                self.inconsistent(model, task)
                for task in self._needs.study.inconsistent_tasks(model)
            ),
        ]
