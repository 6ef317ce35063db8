"""The tasks: labelled clips and how they are scored. Names only; modules load when they are used."""

from collections.abc import Mapping

from mirbench.registry import Entry

__all__ = ["TASKS"]

TASKS: Mapping[str, Entry] = {
    "gtzan": Entry("mirbench.tasks.gtzan:GTZAN", "10 genres, fault-filtered split 443/197/290"),
    "gtzan-kaggle": Entry("mirbench.tasks.gtzan:GTZAN_KAGGLE", "the Kaggle copy, without its broken clip: 442/197/290"),
    "gtzan-mini": Entry("mirbench.tasks.gtzan:GTZAN_MINI", "the public excerpt of 100 clips, 5 folds"),
    "gtzan-demo": Entry("mirbench.tasks.gtzan:GTZAN_DEMO", "10 synthesised styles, a stand-in that needs no download"),
}
