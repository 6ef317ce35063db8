"""The methods: ways to learn a task, with or without a source. Names only; modules load when they are used."""

from collections.abc import Mapping

from mirbench.registry import Entry

__all__ = ["METHODS"]

METHODS: Mapping[str, Entry] = {
    "prior": Entry("mirbench.methods.prior:Prior", "class frequencies of train: the floor"),
    "probe-linear": Entry("mirbench.methods.probes:LinearProbe", "logistic regression on embeddings"),
    "probe-svm": Entry("mirbench.methods.probes:SvmProbe", "RBF support vector machine on embeddings"),
    "probe-forest": Entry("mirbench.methods.probes:ForestProbe", "random forest on embeddings"),
    "probe-mlp": Entry("mirbench.methods.probes:MlpProbe", "one hidden layer of 512 on embeddings (BL-R)"),
    "ii-nmr": Entry("mirbench.methods.nmr:IiNmr", "reprogramming, input-independent: noise on the waveform"),
    "id-nmr": Entry("mirbench.methods.nmr:IdNmr", "reprogramming, input-dependent: a small CNN before the body"),
    "ids-nmr": Entry("mirbench.methods.nmr:IdsNmr", "reprogramming, input-dependent with skip: scale and shift before "
                     "the head"),
}  # fmt: skip
