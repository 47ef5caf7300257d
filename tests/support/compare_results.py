"""Compare the results of two runs of a study, file by file, byte by byte.

    python tests/support/compare_results.py OLD/results NEW/results

Not compared are logs, benchmarks and records of W&B, which differ by time, and the two pages that
show the software itself. Exit status 1 if a file differs or is in one of the folders only.
"""

import sys
from pathlib import Path

NOT_COMPARED = ("logs", "benchmarks", "wandb", "wandb.json", "explorer.html", "study.html")


def result_files(folder):
    """{name: path} of the files below a folder that are compared."""
    return {
        str(path.relative_to(folder)): path
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and not set(path.relative_to(folder).parts) & set(NOT_COMPARED)
    }


def differences(old, new):
    """(name, difference) of each file that is not the same in both folders."""
    old, new = result_files(old), result_files(new)
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            yield name, "only in the " + ("new" if name in new else "old") + " folder"
        elif old[name].read_bytes() != new[name].read_bytes():
            yield name, "differs"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    different = list(differences(*sys.argv[1:]))
    for name, difference in different:
        print(f"{name}: {difference}")
    compared = len(result_files(sys.argv[1]))
    print(f"{compared} files of {sys.argv[1]}, {len(different)} differences")
    sys.exit(bool(different))
