"""The study itself for its report: configuration and software."""


# Too quick for a cluster's queue.
localrules:
    study_page,


rule study_page:
    output:
        page=reported(
            "results/summary/study.html",
            "configuration",
            category="Study",
            labels={"what": "configuration and software"},
        ),
    log:
        "results/logs/study_page.log",
    benchmark:
        "results/benchmarks/study_page.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        config=shown_config(),
        packages=PACKAGES,
        code=script_version("study_page.py"),
    script:
        "../workflow_scripts/study_page.py"
