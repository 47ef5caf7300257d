"""Controls for probes: control labels, and tables whose values are worked out by hand."""

from collections import Counter

import numpy as np
import pytest
import torch
import yaml
from checkpoints import random_gpt2, smollm2_folder
from jsonschema import Draft202012Validator
from repository import REPOSITORY

from think_to_talk import configuration, solvers
from think_to_talk.control_figures import draw_control
from think_to_talk.control_labels import control_label, control_labels
from think_to_talk.controls import Result, control_rows
from think_to_talk.intervals import wilson_interval
from think_to_talk.models import load_model, load_tokenizer, untrained_model
from think_to_talk.planning import StudyPlan

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SYMBOLS = "A=#;A=?A=#⏎"
COT_START = 7


def table_of(seed):
    return [control_label(letter, value, seed) for letter in LETTERS for value in range(10)]


def test_control_labels_are_the_same_everywhere():
    """Written down once: another machine or version must find these."""
    row = {"intermediate_questions": ["o =", "z ="], "intermediate_answers": [4, 0]}
    assert control_labels(row, 42) == [control_label("o", 4, 42), control_label("z", 0, 42)]
    assert table_of(42)[:10] == [0, 0, 8, 5, 9, 8, 0, 0, 2, 5]


def test_control_labels_are_all_digits_about_equally_often_and_differ_between_seeds():
    tables = [table_of(seed) for seed in range(40)]
    counts = Counter(label for table in tables for label in table)
    n = 40 * 260
    assert set(counts) == set(range(10))
    assert all(abs(count - n / 10) < 5 * (n * 0.09) ** 0.5 for count in counts.values())
    agreement = np.mean([a == b for a, b in zip(tables[0], tables[1], strict=True)])
    assert agreement < 0.2


def test_a_label_says_nothing_of_the_value_alone_or_the_name_alone():
    """The best guess from either, for whoever knows the whole table, is far from certain."""
    table = np.array(table_of(42)).reshape(26, 10)
    from_value = np.mean([Counter(column).most_common(1)[0][1] / 26 for column in table.T])
    from_name = np.mean([Counter(line).most_common(1)[0][1] / 10 for line in table])
    assert from_value < 0.3
    assert from_name < 0.4


def test_a_linear_probe_learns_control_labels_by_heart_only_from_the_pair():
    """Features that show name and value side by side give the value, but not the label."""
    generator = torch.Generator().manual_seed(0)
    names = torch.randint(0, 26, (3000,), generator=generator)
    values = torch.randint(0, 10, (3000,), generator=generator)
    labels = torch.tensor(table_of(42)).view(26, 10)[names, values]
    side_by_side = torch.cat([torch.eye(26)[names], torch.eye(10)[values]], dim=1)
    pair = torch.eye(260)[10 * names + values]

    def accuracy(features, targets):
        mask = torch.ones(1, 2000, dtype=torch.bool)
        probes = solvers.SOLVERS["lbfgs"](
            features[None, :2000],
            targets[None, :2000],
            mask,
            penalty=1e-4,
            tolerance=1e-3,
            max_iterations=1000,
        )
        return (probes.predict(features[None, 2000:])[0, 0] == targets[2000:]).float().mean()

    assert accuracy(side_by_side, values) > 0.99
    # Better than chance: a name or a value alone rules some digits out.
    assert accuracy(side_by_side, labels) < 0.5
    assert accuracy(pair, labels) > 0.95


def probe_row(variable, layer, t, score, **changes):
    return {
        "variable": variable,
        "layer": layer,
        "position": t + COT_START,
        "relative_position": t,
        "equation": t // 4,
        "symbol": SYMBOLS[t + COT_START],
        "symbol_index": t + COT_START,
        "score": score,
        "chance": 0.25,
        **changes,
    }


def probe_rows(scores, variable=0, **changes):
    """Rows for {layer: {t: score}}."""
    return [
        probe_row(variable, layer, t, score, **changes)
        for layer, of_layer in scores.items()
        for t, score in of_layer.items()
    ]


REAL = probe_rows({0: {-2: 0.4, -1: 0.5, 0: 0.6, 1: 0.97}, 2: {-2: 0.45, -1: 0.85, 0: 0.8, 1: 0.9}})
OTHER = probe_rows(
    {0: {-2: 0.35, -1: 0.3, 0: 0.2, 1: 0.25}, 2: {-2: 0.1, -1: 0.15, 0: 0.3, 1: 0.2}}, chance=0.125
)


def validated(control, rows):
    """The rows, each of which fits its schema and has its columns in the schema's order."""
    path = REPOSITORY / f"schemas/controls/{control}.schema.yaml"
    schema = yaml.safe_load(path.read_text())
    Draft202012Validator.check_schema(schema)
    for row in rows:
        Draft202012Validator(schema).validate(row)
        assert list(row) == list(schema["properties"])
    return rows


def table(control, results, **options):
    return validated(control, control_rows(control, "m", results, options))


def test_selectivity_is_taken_at_the_best_probe_of_the_real_labels():
    before, after = table("labels", [Result(1, "t", REAL, OTHER)])
    assert before == {
        **{"model": "m", "seed": 1, "task": "t", "variable": 0, "part": "before"},
        **{"layer": 2, "relative_position": -1, "accuracy": 0.85, "control_accuracy": 0.15},
        **{"selectivity": pytest.approx(0.7), "control_chance": 0.125},
    }
    assert (after["layer"], after["relative_position"]) == (0, 1)
    assert after["selectivity"] == pytest.approx(0.97 - 0.25)


def test_an_untrained_copy_is_compared_by_its_own_best_probe():
    before, after = table("untrained", [Result(1, "t", REAL, OTHER)])
    assert (before["accuracy"], before["untrained_accuracy"]) == (0.85, 0.35)
    assert (after["accuracy"], after["untrained_accuracy"]) == (0.97, 0.3)
    assert (after["layer"], after["relative_position"]) == (0, 1)
    assert (after["untrained_layer"], after["untrained_relative_position"]) == (2, 0)
    assert after["difference"] == pytest.approx(0.67)
    assert after["chance"] == 0.25


def test_right_and_wrong_rows_are_scored_by_the_same_probe():
    """Rows 3 and 8 are wrong; the best probe (t = -1) hits one of them and one of the others."""
    columns = {"sample_ids": [8, 1, 2, 3], "answer": [5, 6, 7, 8]}
    rows = [
        probe_row(0, 0, -2, 0.25, predictions=[5, 0, 0, 0], **columns),
        probe_row(0, 0, -1, 0.5, predictions=[0, 6, 0, 8], **columns),
        probe_row(0, 0, 0, 1.0, predictions=[5, 6, 7, 8], **columns),
    ]
    wrote = [{"row": row, "correct": row not in (3, 8)} for row in (1, 2, 3, 8)]
    before, after = table("wrong_rows", [Result(1, "t", rows, wrote)])
    assert (before["layer"], before["relative_position"]) == (0, -1)
    for group, n, hits in (("all", 4, 2), ("right", 2, 1), ("wrong", 2, 1)):
        low, high = wilson_interval(hits, n)
        assert before[f"n_{group}"] == n
        assert before[f"accuracy_{group}"] == hits / n
        assert (before[f"ci_low_{group}"], before[f"ci_high_{group}"]) == (low, high)
    assert after["accuracy_wrong"] == after["accuracy_right"] == 1

    all_right = [{**row, "correct": True} for row in wrote]
    before, _ = table("wrong_rows", [Result(1, "t", rows, all_right)])
    assert before["n_wrong"] == 0
    assert before["accuracy_wrong"] is before["ci_low_wrong"] is before["ci_high_wrong"] is None
    assert before["accuracy_right"] == before["accuracy_all"] == 0.5


def test_t_star_moves_with_the_threshold():
    rows = table("thresholds", [Result(1, "t", REAL)], thresholds=[0.4, 0.5, 0.85, 0.99])
    assert [(row["threshold"], row["t_star"]) for row in rows] == [
        (0.4, -2),
        (0.5, -1),
        (0.85, 1),
        (0.99, None),
    ]
    assert [row["t_star_equation"] for row in rows] == [-1, -1, 0, None]
    assert [row["layer"] for row in rows] == [2, 2, 0, None]
    assert [row["score"] for row in rows] == [0.45, 0.85, 0.97, None]


def timing_row(t_star, before, variable=0):
    return {
        "variable": variable,
        "t_star": t_star,
        "t_star_equation": None if t_star is None else t_star // 4,
        "acc_before": before,
        "acc_after": 1.0,
        "cot_accuracy": 0.9,
    }


def test_seeds_are_averaged_and_agree_on_the_most_frequent_t_star():
    """t* = none, 2, none: two thirds agree on none. Where all differ, the first seed's is taken."""
    stars = {1: (None, 5), 2: (2, 6), 3: (None, -7)}
    accuracies = {1: 0.2, 2: 0.4, 3: 0.9}
    results = [
        Result(
            seed, "t", REAL, [timing_row(star, accuracies[seed], v) for v, star in enumerate(pair)]
        )
        for seed, pair in stars.items()
    ]
    first, second = table("seeds", results)
    assert first["seeds"] == [1, 2, 3]
    assert first["acc_before_mean"] == pytest.approx(0.5)
    # Deviations -0.3, -0.1, 0.4: the sum of their squares is 0.26, over n - 1 = 2.
    assert first["acc_before_std"] == pytest.approx(0.13**0.5)
    assert (first["cot_accuracy_mean"], first["cot_accuracy_std"]) == (pytest.approx(0.9), 0)
    assert first["t_star_of_seeds"] == [None, 2, None]
    assert (first["t_star_mode"], first["t_star_agreement"]) == (None, 2 / 3)
    assert (second["t_star_mode"], second["t_star_agreement"]) == (5, 1 / 3)
    assert second["t_star_equation_of_seeds"] == [1, 1, -2]
    assert (second["t_star_equation_mode"], second["t_star_equation_agreement"]) == (1, 2 / 3)

    (alone, _) = table("seeds", results[:1])
    assert (alone["acc_before_mean"], alone["acc_before_std"]) == (0.2, None)
    assert alone["t_star_agreement"] == 1


def without_scores(rows):
    return [{**row, "score": None, "predictions": None} for row in rows]


CASES = {
    "labels": (OTHER, {}),
    "untrained": (OTHER, {}),
    "wrong_rows": ([{"row": row, "correct": row > 0} for row in range(4)], {}),
    "thresholds": ([], {"thresholds": [0.5, 0.99]}),
    "seeds": ([timing_row(-1, 0.5), timing_row(None, 0.5, 1)], {}),
}


@pytest.mark.parametrize("control", CASES)
def test_every_control_has_a_table_and_a_figure_of_all_tasks(control):
    """Also where one task has no probes, for lack of rows to train on."""
    beside, options = CASES[control]
    columns = {"sample_ids": [0, 1, 2, 3], "answer": [1] * 4, "predictions": [1, 1, 0, 2]}
    probes = [{**row, **columns} for row in REAL]
    results = [
        Result(1, "t", probes, beside),
        Result(1, "u", without_scores(probes), without_scores(beside)),
        Result(2, "t", probes, beside),
    ]
    rows = table(control, results, **options)
    assert {row["task"] for row in rows} == {"t", "u"}
    figure = draw_control(control, "m", results, rows)
    panels = [axes for axes in figure.axes if axes.axison]
    assert [panel.get_title(loc="left") for panel in panels] == ["t", "u"]
    assert "m" in figure.get_suptitle()
    assert all(panel.get_ylabel() for panel in panels)


def test_curves_are_means_over_seeds_of_the_same_layer():
    """Control labels are drawn in the layer that is best for the real ones."""
    worse = [{**row, "score": row["score"] - 0.2} for row in REAL]
    results = [Result(1, "t", REAL, OTHER), Result(2, "t", worse, OTHER)]
    figure = draw_control("labels", "m", results, [])
    solid, dashed = (line for line in figure.axes[0].lines if len(line.get_xdata()) == 4)
    assert list(solid.get_xdata()) == list(dashed.get_xdata()) == [-2, -1, 0, 1]
    assert list(solid.get_ydata()) == pytest.approx([0.35, 0.75, 0.7, 0.87])
    assert list(dashed.get_ydata()) == pytest.approx([0.1, 0.15, 0.3, 0.25])


def test_t_star_marks_of_seeds_are_on_the_symbol_axis():
    results = [Result(seed, "t", REAL, [timing_row(seed, 0.5)]) for seed in (-1, 1)]
    figure = draw_control("seeds", "m", results, [])
    marks = next(line for line in figure.axes[0].lines if line.get_marker() == "v")
    assert list(marks.get_xdata()) == [-1, 1]


def same_weights(first, second):
    """For each of the weights, whether two models have it in common."""
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return [torch.equal(a, b) for a, b in pairs]


def test_an_untrained_model_has_the_checkpoint_s_architecture_and_random_weights(tmp_path):
    random_gpt2(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    checkpoint = load_model(tmp_path)
    drawn, again, other = (untrained_model(tmp_path, seed=seed) for seed in (1, 1, 2))
    names = [name for name, _ in checkpoint.named_parameters()]
    assert [name for name, _ in drawn.named_parameters()] == names
    assert all(same_weights(drawn, again))
    for model in (checkpoint, other):
        # Biases start as zeros, norms as ones.
        same = dict(zip(names, same_weights(drawn, model), strict=True))
        different = {name for name in names if not same[name]}
        assert {"transformer.wte.weight", "transformer.h.3.mlp.c_fc.weight"} <= different
    assert not drawn.training
    assert untrained_model(tmp_path, "bfloat16", seed=1).dtype == torch.bfloat16
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_weights_of_the_checkpoint_are_not_read(tmp_path):
    random_gpt2(tmp_path)
    drawn = untrained_model(tmp_path, seed=1)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    assert all(same_weights(drawn, untrained_model(tmp_path, seed=1)))


def test_a_gguf_file_has_an_untrained_copy_too():
    model = untrained_model(smollm2_folder(), seed=1)
    assert model.config.num_hidden_layers == 30
    ids = load_tokenizer(smollm2_folder())("z = 4 - o", return_tensors="pt").input_ids
    assert model(ids).logits.shape == (1, ids.shape[1], 49152)


def test_an_untrained_copy_is_planned_like_its_model(raw_config, schema):
    """But all of its rows train its probes, and its chains of thought are given."""
    raw = {**raw_config, "controls": {"untrained": True, "labels": True}}
    study = StudyPlan(configuration.complete(raw, schema))
    study.check()
    assert study.controls == ["labels", "untrained"]
    assert study.controlled_models == ["tiny"]
    assert study.architecture("tiny.untrained") == study.architecture("tiny")
    assert study.layers("tiny.untrained") == study.layers("tiny")
    assert study.placement("tiny.untrained") == study.placement("tiny")
    assert study.shard_jobs("tiny.untrained") == study.shard_jobs("tiny")
    assert study.probes("tiny") == study.config["probes"]
    assert study.probes("tiny.untrained") == {**study.config["probes"], "train_on": "all"}
    generated, gold = (study.work(model, "level-1", 1000) for model in ("tiny", "tiny.untrained"))
    assert gold.best_passes == generated.best_passes
    assert gold.worst_passes == gold.best_passes < generated.worst_passes
