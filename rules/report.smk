"""What the report shows: tables and figures, with their captions and their places."""

# What a table is called in its rule's output, and how its files end.
TABLE_FORMATS = {"rows": "jsonl", "csv": "csv", "markdown": "md", "html": "html"}
# Of figures.
FORMATS = ["png", "svg"]


def reported(path, caption, **place):
    """An output that the report shows, with a caption of report/, in its place among the others."""
    return report(path, caption=f"../report/{caption}.rst", **place)


def table_files(table, caption):
    """The outputs of a table of the study, by their formats; the report shows it."""
    files = {
        kind: filled(TABLE, table=table, format=ending)
        for kind, ending in TABLE_FORMATS.items()
    }
    place = {"category": "Tables", "labels": {"what": table}}
    return {**files, "html": reported(files["html"], caption, **place)}


def figure_files(figure, caption, **place):
    """The outputs of a figure of a model, in all formats; the report shows one, among the model's.

    figure: its path below the model's, without an ending. place: more of its place in the report.
    """
    files = expand(FIGURE, figure=figure, format=FORMATS, allow_missing=True)
    shown = reported(files[-1], caption, category="{model}", **place)
    return [*files[:-1], shown]
