"""The explorer: the whole study as one HTML page."""


rule explorer:
    input:
        probes=of_all_results(PROBES),
        timing=of_all_results(TIMING),
        patching=of_all_results(PATCHING, study.patched_tasks),
    output:
        page=reported(
            "results/summary/explorer.html",
            "explorer",
            category="Study",
            labels={"what": "explorer"},
        ),
    log:
        "results/logs/explorer.log",
    benchmark:
        "results/benchmarks/explorer.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        results=all_results(),
        patched=all_results(study.patched_tasks),
        threshold=config["timing"]["threshold"],
        code=script_version("explorer.py", *EXPLORER_PARTS),
    script:
        "../workflow_scripts/explorer.py"
