"""Commands as users type them: at the end of each help text."""

from __future__ import annotations

__all__ = ["BEGIN", "EXAMPLES"]

BEGIN = (
    "mirbench run --task gtzan --method ids-nmr   # a demo; it needs no download",
    "mirbench data get gtzan-mini                 # real music, 100 clips",
    "mirbench leaderboard                         # all results until now",
)

EXAMPLES: dict[str, tuple[str, ...]] = {
    "choose": (
        "mirbench choose gtzan-mini --budget 5min",
        "mirbench choose folder:songs --cost clips-per-second     # a folder a class",
    ),
    "run": (
        "mirbench run --task gtzan-mini --method probe-linear --source efficientat-mn04",
        "mirbench run --task folder:songs --method probe-linear   # a folder a class",
        "mirbench run --task csv:songs.csv+folds5 --method probe-svm --search C=1,10",
    ),
    "sweep": (
        "mirbench sweep every-method --task gtzan-mini --dry-run",
        "mirbench sweep every-method --jobs 4 --until 2h            # again: goes on",
        "mirbench sweep mine.toml --part 3/16                       # of a Slurm array",
    ),
    "reproduce": ("mirbench reproduce --list", "mirbench reproduce hung2022-table1 --demo"),
    "ensemble": ("mirbench ensemble probe-svm+nano probe-linear+musicnn-mtat --average rank",),
    "predict": (
        "mirbench predict gtzan-mini/probe-linear+nano song.mp3 --top 3",
        "mirbench predict gtzan-mini/probe-linear+nano MUSIC --out genres.csv",
    ),
    "list": ("mirbench list", "mirbench list sources"),
    "show": ("mirbench show gtzan", "mirbench show probe-linear", "mirbench show ast"),
    "leaderboard": (
        "mirbench leaderboard --columns rank,system,metrics,clips-per-second",
        "mirbench leaderboard --format latex --output table.tex",
        "mirbench leaderboard --format html                # a page to sort and filter",
    ),
    "compare": ("mirbench compare probe-linear+nano probe-svm+nano",),
    "plot": (
        "mirbench plot pareto --cost clips-per-second --output pareto.pdf",
        "mirbench plot forest --task gtzan-mini --width 3.5",
    ),
    "verify": ("mirbench verify", "mirbench verify --rerun", "mirbench verify runs --strict"),
    "new": ("mirbench new method my-method", "mirbench new encoder my-encoder --folder plugins"),
    "check": ("mirbench check my_method.py",),
    "doctor": ("mirbench doctor --data music --weights weights",),
    "data": ("mirbench data get gtzan-mini", "mirbench data audit folder:songs"),
    "import": ("mirbench import predictions.csv --task gtzan --name our-model",),
    "export": (
        "mirbench export model gtzan-mini/probe-linear+nano genres-model",
        "mirbench export clips gtzan-mini/probe-linear+nano wrong.csv --mistakes",
        "mirbench export records runs --to mlflow          # or trackio, csv, hf-eval-results, every-eval-ever",
    ),
    "cache": ("mirbench cache info",),
    "results": ("mirbench results pack mine.tar.xz --task gtzan-mini", "mirbench results add theirs.tar.xz"),
}
"""By command; `tests/benchmark/cli/test_help.py` reads each as the command line does."""
