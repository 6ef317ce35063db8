"""Intervals, differences, families and ranks: against scikit-learn, scipy, brute force, closed forms, and properties.

What they promise on average is in test_statistics_simulated.py.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as reference

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard import chance
from mirbench.leaderboard.chance import Clips, bonett_price, wilson
from mirbench.leaderboard.linearised import LINEARISED
from mirbench.leaderboard.statistics import (
    across_tasks,
    assessed,
    compared,
    difference,
    holm,
    interval,
    ranks,
    sign_flip,
)
from mirbench.leaderboard.weighted_metrics import WEIGHTED, Drawn
from mirbench.metrics import METRICS
from mirbench.types import Targets

SEED = st.integers(0, 2**32 - 1)
quick = settings(max_examples=30, deadline=None, database=None)
CASES = [(name, kind) for name in WEIGHTED for kind in METRICS[name].task_kinds]


def some(seed, n_clips=40, n_classes=4, n_seeds=1, kind="single-label", n_systems=1):
    """Targets, and scores with ties of systems that know something."""
    generator = np.random.default_rng(seed)
    if kind == "single-label":
        value = np.eye(n_classes, dtype=np.float32)[generator.integers(n_classes, size=n_clips)]
        known = np.ones(value.shape, dtype=bool)
    else:
        value = (generator.random((n_clips, n_classes)) < 0.4).astype(np.float32)
        known = generator.random(value.shape) < 0.7
    noise = generator.random((n_systems, n_seeds, n_clips, n_classes))
    scores = np.round(0.3 * value + 0.7 * noise, 1).astype(np.float32)
    return Targets(value, known, kind), list(scores)


def of_hits(*systems):
    """Targets of two classes, and scores of systems that are right where ``hits`` (n_seeds, n_clips) says so."""
    arrays = [np.atleast_2d(np.asarray(hits, dtype=np.float32)) for hits in systems]
    n = arrays[0].shape[1]
    targets = Targets(np.tile(np.float32([1, 0]), (n, 1)), np.ones((n, 2), dtype=bool), "single-label")
    return targets, [np.stack([hits, 1 - hits], axis=-1) for hits in arrays]


def alone(targets):
    """Groups and folds of clips that share none."""
    return np.full(len(targets.value), ""), np.zeros(len(targets.value), dtype=int)


def by_class(score, targets, scores, weights):
    """Mean over classes of a score of scikit-learn, with weights, where both answers have weight."""
    values = []
    for k in range(scores.shape[1]):
        rows = targets.known[:, k] & (weights > 0)
        positive = targets.value[rows, k] >= 0.5
        if positive.any() and not positive.all():
            values.append(score(positive, scores[rows, k], sample_weight=weights[rows]))
    return np.mean(values) if values else math.nan


def sklearn_f1(targets, scores, weights, *, two_class):
    chosen = scores >= 0.5 if targets.kind == "multi-label" else scores.argmax(1)[:, None] == np.arange(scores.shape[1])
    values = []
    for k in range(scores.shape[1]):
        rows = targets.known[:, k] & (weights > 0)
        truth, picked = targets.value[rows, k] >= 0.5, chosen[rows, k]
        each = [
            reference.f1_score(truth, picked, pos_label=label, sample_weight=weights[rows])
            for label in ((True, False) if two_class else (True,))
            if (truth == label).any() or (picked == label).any()
        ]
        if each:
            values.append(np.mean(each))
    return np.mean(values) if values else math.nan


def sklearn_share(name, targets, scores, weights):
    """Precision or recall of each class that has one."""
    values = []
    chosen = scores >= 0.5 if targets.kind == "multi-label" else np.eye(scores.shape[1], dtype=bool)[scores.argmax(1)]
    for k in range(scores.shape[1]):
        rows = targets.known[:, k] & (weights > 0)
        truth, picked = targets.value[rows, k] >= 0.5, chosen[rows, k]
        if (picked if name == "macro-precision" else truth).any():
            score = reference.precision_score if name == "macro-precision" else reference.recall_score
            values.append(score(truth, picked, sample_weight=weights[rows]))
    return np.mean(values) if values else math.nan


def calibration_by_hand(targets, scores, weights):
    """Bin by bin and clip by clip, as Guo et al. (2017) write it."""
    single = targets.kind == "single-label"
    values = []
    for k in range(1 if single else scores.shape[1]):
        total, error = 0.0, 0.0
        for m in range(15):
            size, right, sure = 0.0, 0.0, 0.0
            for i in range(len(scores)):
                column = scores[i].argmax() if single else k
                p = float(scores[i, column])
                inside = m / 15 < p <= (m + 1) / 15 or (m == 0 and p == 0)
                if inside and targets.known[i, column]:
                    weight = float(weights[i])
                    size += weight
                    right += weight * (targets.value[i, column] >= 0.5)
                    sure += weight * p
            total += size
            error += abs(right - sure)
        if total:
            values.append(error / total)
    return np.mean(values) if values else math.nan


def sklearn_value(name, targets, scores, weights):
    labels, answers = targets.value.argmax(1), scores.argmax(1)
    rows = weights > 0
    if name == "accuracy":
        return reference.accuracy_score(labels, answers, sample_weight=weights)
    if name == "balanced-accuracy":
        there = np.unique(labels[rows])
        recall = reference.recall_score(labels, answers, labels=there, average=None, sample_weight=weights)
        return recall.mean()
    if name in ("macro-f1", "two-class-macro-f1"):
        return sklearn_f1(targets, scores, weights, two_class=name.startswith("two"))
    if name in ("macro-precision", "macro-recall"):
        return sklearn_share(name, targets, scores, weights)
    if name == "ece":
        return calibration_by_hand(targets, scores, weights)
    score = reference.roc_auc_score if name == "roc-auc" else reference.average_precision_score
    return by_class(score, targets, scores, weights)


# weighted metrics


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_weighted_metrics_equal_sklearn_with_sample_weight(name, kind):
    for seed in range(3):
        targets, ((scores,),) = some(seed, kind=kind)
        weights = np.random.default_rng(seed).poisson(1.0, (len(scores), 5)).astype(np.float32)
        found = WEIGHTED[name](scores, Drawn(targets, weights))
        wanted = [sklearn_value(name, targets, scores, column) for column in weights.T]
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize(("name", "kind"), CASES)
@settings(max_examples=12, deadline=None, database=None)
@given(seed=SEED, n_clips=st.integers(1, 30), n_classes=st.integers(2, 5))
def test_weighted_metrics_equal_the_metric_of_repeated_clips(name, kind, seed, n_clips, n_classes):
    targets, ((scores,),) = some(seed, n_clips, n_classes, kind=kind)
    times = np.random.default_rng(seed).poisson(1.0, (n_clips, 3))
    times[:, 0] = 1
    times[0] = 1
    rows = [np.repeat(np.arange(n_clips), column) for column in times.T]
    wanted = [
        METRICS[name].function(scores[row], Targets(targets.value[row], targets.known[row], kind)) for row in rows
    ]
    np.testing.assert_allclose(WEIGHTED[name](scores, Drawn(targets, times.astype(np.float32))), wanted, rtol=1e-12)


def test_every_metric_that_is_one_number_is_weighted_or_linearised():
    numbers = {name: metric for name, metric in METRICS.items() if metric.kind == "value"}
    assert set(WEIGHTED) == {name for name, metric in numbers.items() if metric.task_kinds != ("regression",)}
    assert set(LINEARISED) == set(numbers) - set(WEIGHTED)


# the exact test


@quick
@given(b=st.integers(0, 400), c=st.integers(0, 400))
def test_sign_flip_of_ones_is_the_exact_mcnemar_test(b, c):
    wanted = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert sign_flip([1] * b + [-1] * c + [0, 0]) == pytest.approx(max(wanted, 1e-12), rel=1e-6, abs=1e-13)


@quick
@given(st.lists(st.integers(-6, 6), min_size=1, max_size=10))
def test_sign_flip_equals_counting_all_signs(values):
    sums = [abs(np.dot(signs, values)) for signs in itertools.product((-1, 1), repeat=len(values))]
    assert sign_flip(values) == pytest.approx(np.mean(np.array(sums) >= abs(sum(values))), abs=1e-12)


def test_sign_flip_equals_a_convolution_of_5085_clips_of_five_seeds():
    sizes = np.random.default_rng(0).integers(0, 6, size=5085)
    exact = np.ones(1)
    for size in range(1, 6):
        m = int((sizes == size).sum())
        steps = np.zeros(size * m + 1)
        steps[::size] = stats.binom.pmf(np.arange(m + 1), m, 0.5)
        exact = np.convolve(exact, steps)
    total = len(exact) - 1
    for wanted_z in (0.5, 2.0, 5.0):
        values, goal = sizes.copy(), wanted_z * np.sqrt((sizes**2).sum())
        values[np.cumsum(2 * sizes) <= total - goal] *= -1
        p = 2 * exact[: (total - abs(values.sum())) // 2 + 1].sum()
        assert sign_flip(values) == pytest.approx(p, rel=1e-6)
    assert p < 1e-6


# intervals


@quick
@given(n=st.integers(8, 400), data=st.data())
def test_interval_of_accuracy_is_wilsons(n, data):
    hits = data.draw(st.integers(4, n - 4))
    targets, (scores,) = of_hits(np.arange(n) < hits)
    found = interval("accuracy", scores, targets, *alone(targets))
    wanted = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.method == f"Wilson over {n} clips, one seed"


@pytest.mark.parametrize("n_misses", [1, 2, 3])
def test_interval_of_few_misses_ends_where_a_poisson_count_does(n_misses):
    targets, (scores,) = of_hits(np.arange(100) >= n_misses)
    found = interval("accuracy", scores, targets, *alone(targets))
    plain = stats.binomtest(100 - n_misses, 100).proportion_ci(method="wilson")
    limit = stats.chi2.ppf(0.05, 2 * n_misses) / 2  # expected misses that give so many with probability 0.05
    assert found.low == pytest.approx(plain.low)
    assert found.high == pytest.approx(1 - limit / 100)
    assert found.high > plain.high


@pytest.mark.parametrize("n", [20, 290])
def test_interval_of_a_perfect_system_is_that_of_its_clips_or_groups(n):
    targets, (scores,) = of_hits(np.ones(n))
    groups, folds = alone(targets)
    found = interval("accuracy", scores, targets, groups, folds)
    wanted = stats.binomtest(n, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == (pytest.approx(wanted.low), 1.0)
    in_fives = interval("accuracy", scores, targets, [f"g{i // 5}" for i in range(n)], folds)
    z = stats.t.ppf(0.975, n // 5 - 1) ** 2 / (n / 5)
    assert in_fives.low == pytest.approx(1 / (1 + z))
    assert in_fives.method == f"Wilson over {n // 5} groups, one seed"


def test_copies_of_clips_in_their_groups_add_nothing():
    hits = np.random.default_rng(0).random(60) < 0.7
    targets, (scores,) = of_hits(np.repeat(hits, 5))
    copies = interval("accuracy", scores, targets, np.repeat([f"g{i}" for i in range(60)], 5), alone(targets)[1])
    low, high = wilson(hits.mean(), 60, stats.norm.ppf(0.975))
    assert copies.high - copies.low == pytest.approx(high - low, rel=0.05)
    apart = interval("accuracy", scores, targets, *alone(targets))
    assert apart.high - apart.low < 0.5 * (high - low)


def test_one_group_says_next_to_nothing():
    targets, (scores,) = of_hits(np.arange(50) < 40)
    found = interval("accuracy", scores, targets, ["same"] * 50, alone(targets)[1])
    assert found.high - found.low > 0.9


@pytest.mark.parametrize("name", ["roc-auc", "pr-auc", "macro-f1", "balanced-accuracy"])
def test_interval_of_a_perfect_system_has_a_width(name):
    targets, _ = some(0, n_clips=60)
    found = interval(name, targets.value[None], targets, *alone(targets))
    wanted = stats.binomtest(60, 60).proportion_ci(method="wilson")
    assert found.high == 1.0
    assert found.low == pytest.approx(wanted.low, abs=0.01)


def test_bootstrap_of_the_roc_auc_varies_as_delong_says():
    targets, ((scores,),) = some(3, n_clips=200, n_classes=2)
    groups, folds = alone(targets)
    (system,) = Clips.of("roc-auc", targets, groups, folds).systems([scores[None]])
    places = []
    for k in range(2):  # placements of positives among negatives, and the other way round: DeLong et al. (1988)
        positive = targets.value[:, k] >= 0.5
        above = scores[positive, k][:, None] - scores[~positive, k][None]
        wins = (above > 0) + 0.5 * (above == 0)
        place = np.zeros(200)
        place[positive] = (wins.mean(1) - wins.mean()) / positive.sum()
        place[~positive] = (wins.mean(0) - wins.mean()) / (~positive).sum()
        places.append(place)
    wanted = (np.mean(places, axis=0) ** 2).sum()
    assert system.noise @ system.noise == pytest.approx(wanted, rel=0.15)


def test_bootstrap_of_a_share_of_groups_varies_as_the_groups_do():
    # every clip has class 0, so the balanced accuracy is the accuracy, for which there is a formula
    generator = np.random.default_rng(1)
    groups = generator.integers(40, size=300).astype(str)
    hits = generator.random(300) < 0.3 + 0.6 * generator.random(40)[groups.astype(int)]
    targets, (scores,) = of_hits(hits)
    folds = np.zeros(300, dtype=int)
    noise = [
        Clips.of(name, targets, groups, folds).systems([scores])[0].noise for name in ("accuracy", "balanced-accuracy")
    ]
    assert noise[1] @ noise[1] == pytest.approx(noise[0] @ noise[0], rel=0.15)


def test_metrics_that_are_averaged_over_folds_are_and_others_are_pooled():
    targets, (a, b) = some(4, n_clips=90, n_systems=2)
    folds = np.arange(90) % 3
    parts = [
        (folds == k, Targets(targets.value[folds == k], targets.known[folds == k], targets.kind)) for k in range(3)
    ]
    for name in ("roc-auc", "macro-f1"):
        score = METRICS[name].function
        if METRICS[name].over_folds == "average":
            wanted = np.mean([score(a[0][rows], part) - score(b[0][rows], part) for rows, part in parts])
        else:
            wanted = score(a[0], targets) - score(b[0], targets)
        assert difference(name, a, b, targets, alone(targets)[0], folds).value == pytest.approx(wanted)


def test_one_seed_and_several_are_said():
    targets, (a,) = some(5, n_seeds=3)
    groups, folds = alone(targets)
    assert interval("roc-auc", a, targets, groups, folds).method == "bootstrap over 40 clips, 3 seeds"
    found = difference("accuracy", a, a[:1], targets, ["x", "y"] * 20, folds)
    assert found.method == "sign-flip test over 2 groups, 3 seeds against one seed"
    assert difference("accuracy", a[1:2], a[:1], targets, groups, folds).method == (
        "exact McNemar test over 40 clips, one seed"
    )


# differences


def test_difference_of_accuracy_counts_what_changed():
    targets, (a, b) = of_hits([1, 1, 1, 1, 1, 0, 0, 1], [1, 1, 0, 0, 0, 1, 0, 0])
    found = difference("accuracy", a, b, targets, *alone(targets))
    assert found.value == pytest.approx(3 / 8)
    assert (found.n_clips, found.n_groups, found.n_changed) == (8, 8, 5)
    assert found.p == pytest.approx(stats.binomtest(4, 5).pvalue)
    assert (found.low, found.high) == pytest.approx(bonett_price(3 / 8, 5 / 8, 8, stats.norm.ppf(0.975)))


def test_changed_clips_of_a_tagging_task_are_those_decided_otherwise_on_a_known_class():
    value = np.float32([[1, 0], [1, 0], [1, 0]])
    known = np.array([[True, True], [True, False], [True, True]])
    a, b = np.float32([[[0.9, 0.1]] * 3]), np.float32([[[0.9, 0.1], [0.9, 0.9], [0.9, 0.9]]])
    targets = Targets(value, known, "multi-label")
    assert difference("macro-f1", a, b, targets, *alone(targets)).n_changed == 1


def test_bonett_and_price_is_walds_with_two_clips_more():
    n, b, c = 50, 9, 3
    p12, p21 = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = 1.96 * math.sqrt((p12 + p21 - (p12 - p21) ** 2) / (n + 2))
    assert bonett_price((b - c) / n, (b + c) / n, n, 1.96) == pytest.approx((p12 - p21 - half, p12 - p21 + half))


@pytest.mark.parametrize("name", ["accuracy", "macro-f1", "roc-auc"])
def test_a_system_does_not_differ_from_itself(name):
    targets, (a,) = some(6, n_seeds=2)
    found = difference(name, a, a, targets, *alone(targets))
    assert (found.value, found.p, found.n_changed) == (0, 1, 0)
    assert found.low < 0 < found.high


@pytest.mark.parametrize("name", ["accuracy", "balanced-accuracy", "macro-f1", "roc-auc", "pr-auc"])
@settings(max_examples=6, deadline=None, database=None)
@given(seed=SEED, n_seeds=st.integers(1, 3), grouped=st.booleans())
def test_a_difference_turned_round_is_its_negative(name, seed, n_seeds, grouped):
    targets, (a, b) = some(seed, n_seeds=n_seeds, n_systems=2)
    groups, folds = alone(targets)
    groups = np.array([f"g{i // 4}" for i in range(40)]) if grouped else groups
    one, other = (difference(name, x, y, targets, groups, folds) for x, y in ((a, b[:1]), (b[:1], a)))
    assert one.value == pytest.approx(-other.value)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert one.p == pytest.approx(other.p)
    assert -1 <= one.low <= one.value <= one.high <= 1
    assert 0 < one.p <= 1
    own = interval(name, a, targets, groups, folds)
    mean = np.mean([METRICS[name].function(layer, targets) for layer in a])
    assert 0 <= own.low <= mean <= own.high <= 1


@quick
@given(seed=SEED, n_seeds=st.integers(1, 3), grouped=st.booleans())
def test_the_order_of_clips_does_not_matter_to_accuracy(seed, n_seeds, grouped):
    targets, (a, b) = some(seed, n_seeds=n_seeds, n_systems=2)
    groups, folds = alone(targets)
    groups = np.array([f"g{i // 4}" for i in range(40)]) if grouped else groups
    order = np.random.default_rng(seed).permutation(40)
    turned = Targets(targets.value[order], targets.known[order], targets.kind)
    one = difference("accuracy", a, b, targets, groups, folds)
    other = difference("accuracy", a[:, order], b[:, order], turned, groups[order], folds)
    assert (one.value, one.low, one.high, one.p) == pytest.approx((other.value, other.low, other.high, other.p))


def test_the_order_of_clips_matters_to_a_bootstrap_as_little_as_its_1000_replicates_allow():
    targets, (a, b) = some(7, n_clips=100, n_systems=2)
    order = np.random.default_rng(0).permutation(100)
    turned = Targets(targets.value[order], targets.known[order], targets.kind)
    one = difference("roc-auc", a, b, targets, *alone(targets))
    other = difference("roc-auc", a[:, order], b[:, order], turned, *alone(targets))
    assert other.value == pytest.approx(one.value)
    assert other.high - other.low == pytest.approx(one.high - one.low, rel=0.12)  # 1 / sqrt(2000) each, four times


@pytest.mark.parametrize("name", ["accuracy", "macro-f1", "roc-auc"])
def test_tables_are_the_same_twice(name):
    targets, systems = some(8, n_seeds=2, n_systems=3)
    once, twice = (compared(name, systems, targets, *alone(targets)) for _ in range(2))
    assert (once == twice).all()
    first = difference(name, *systems[:2], targets, *alone(targets))
    assert first == difference(name, *systems[:2], targets, *alone(targets))


@quick
@given(seed=SEED, times=st.integers(2, 5))
def test_a_seed_counted_several_times_makes_nothing_surer(seed, times):
    targets, (a, b) = some(seed, n_systems=2)
    once = difference("accuracy", a, b, targets, *alone(targets))
    again = difference("accuracy", a.repeat(times, 0), b.repeat(times, 0), targets, *alone(targets))
    assert again.p >= once.p - 1e-12
    assert (again.low, again.high) == pytest.approx((once.low, once.high))


def test_seeds_that_differ_widen_an_interval_and_weaken_a_difference():
    generator = np.random.default_rng(0)
    easy = generator.random(400)
    steady = np.stack([easy < 0.8] * 3)
    shaky = np.stack([easy < share for share in (0.7, 0.8, 0.9)])
    worse = np.stack([easy < 0.72] * 3)
    targets, (a, b, c) = of_hits(steady, shaky, worse)
    groups, folds = alone(targets)
    sure, unsure = (interval("accuracy", each, targets, groups, folds) for each in (a, b))
    assert unsure.high - unsure.low > 2 * (sure.high - sure.low)
    assert difference("accuracy", a, c, targets, groups, folds).p < 0.001
    assert difference("accuracy", b, c, targets, groups, folds).p > 0.1


def test_seeds_that_differ_by_no_more_than_their_clips_do_make_the_mean_surer():
    widths = []
    for seed in range(50):
        targets, (a,) = of_hits(np.random.default_rng(seed).random((5, 400)) < 0.8)
        found = [interval("accuracy", each, targets, *alone(targets)) for each in (a[:1], a)]
        widths.append([each.high - each.low for each in found])
    one, five = np.mean(widths, axis=0)
    assert five < 0.75 * one


# tables


def test_holm_multiplies_as_published():
    # Holm (1979): the smallest by n, the next by n - 1, …, never less than the one before
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).tolist() == []
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]


@quick
@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=12))
def test_holm_rejects_what_the_step_down_rejects(p):
    adjusted = holm(p)
    rejected, order = set(), np.argsort(p, kind="stable")
    for step, index in enumerate(order):
        if p[index] * (len(p) - step) >= 0.05:
            break
        rejected.add(int(index))
    assert rejected == set(np.flatnonzero(adjusted < 0.05).tolist())
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= np.minimum(1, np.array(p) * len(p)) + 1e-15).all()


def test_holm_leaves_undefined_values_out():
    np.testing.assert_allclose(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])


@pytest.mark.parametrize("name", ["accuracy", "macro-f1", "roc-auc"])
def test_compared_is_holm_over_all_pairs(name):
    targets, systems = some(9, n_clips=80, n_systems=4)
    adjusted = compared(name, systems, targets, *alone(targets))
    pairs = list(itertools.combinations(range(4), 2))
    p = [difference(name, systems[i], systems[j], targets, *alone(targets)).p for i, j in pairs]
    assert [adjusted[pair] for pair in pairs] == pytest.approx(holm(p).tolist())
    assert (adjusted == adjusted.T).all()
    assert np.diag(adjusted).tolist() == [1] * 4
    assert compared(name, systems[:1], targets, *alone(targets)).tolist() == [[1]]


@pytest.mark.parametrize("name", ["accuracy", "roc-auc"])
def test_assessed_is_intervals_and_compared_in_one(name):
    targets, systems = some(12, n_seeds=2, n_systems=3)
    intervals, adjusted = assessed(name, systems, targets, *alone(targets))
    assert intervals == [interval(name, each, targets, *alone(targets)) for each in systems]
    assert (adjusted == compared(name, systems, targets, *alone(targets))).all()
    assert assessed(name, [], targets, *alone(targets))[0] == []


def test_rows_that_cannot_be_told_apart_share_a_rank():
    adjusted = np.array([[1, 0.4, 0.01, 0.01], [0.4, 1, 0.2, 0.01], [0.01, 0.2, 1, 0.03], [0.01, 0.01, 0.03, 1]])
    assert ranks([0.9, 0.88, 0.85, 0.6], adjusted) == [1, 1, 2, 4]
    assert ranks([0.9, 0.88, 0.85, 0.6], adjusted, alpha=0.02) == [1, 1, 2, 3]
    assert ranks([0.9, 0.88, 0.85, 0.6], adjusted, higher_is_better=False) == [3, 2, 2, 1]
    assert ranks([0.9, np.nan], [[1, np.nan], [np.nan, 1]]) == [1, None]


def test_an_undefined_metric_has_no_interval_difference_or_rank():
    targets, (a, b) = some(10, n_systems=2)
    one_class = Targets(np.eye(4, dtype=np.float32)[np.zeros(40, dtype=int)], targets.known, "single-label")
    groups, folds = alone(targets)
    assert interval("roc-auc", a, one_class, groups, folds) is None
    assert difference("roc-auc", a, b, one_class, groups, folds) is None
    adjusted = compared("roc-auc", [a, b], one_class, groups, folds)
    assert np.isnan(adjusted[0, 1])
    assert ranks([np.nan, np.nan], adjusted) == [None, None]


# across tasks


def test_friedman_equals_scipy_ties_included():
    values = np.round(np.random.default_rng(0).random((12, 5)), 1)
    wanted = stats.friedmanchisquare(*values.T)
    found = across_tasks(values)
    assert (found.statistic, found.p) == pytest.approx((wanted.statistic, wanted.pvalue))
    assert found.average_ranks == pytest.approx(stats.rankdata(-values, axis=1).mean(axis=0))


def test_friedman_of_two_systems_is_the_sign_test_by_the_normal_curve():
    values = np.array([[2.0, 1.0]] * 9 + [[1.0, 2.0]] * 3)
    assert across_tasks(values).p == pytest.approx(2 * stats.norm.sf((9 - 3) / np.sqrt(12)))


@pytest.mark.parametrize(
    ("k", "q"), list(enumerate((1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164), start=2))
)
def test_the_critical_difference_is_that_of_demsars_table_5(k, q):
    n = 14
    values = np.random.default_rng(k).random((n, k))
    assert across_tasks(values).critical_difference == pytest.approx(q * np.sqrt(k * (k + 1) / (6 * n)), rel=3e-4)


def test_systems_that_tie_everywhere_do_not_differ():
    found = across_tasks(np.ones((3, 4)))
    assert (found.average_ranks.tolist(), found.statistic, found.p) == ([2.5] * 4, 0, 1)


@pytest.mark.parametrize("values", [[[1, 2, 3]], [[1], [2]], [1, 2], [[1, 2], [np.nan, 1]]])
def test_across_tasks_refuses_what_cannot_be_ranked(values):
    with pytest.raises(BadInput, match=r"at least 2 tasks|1 of 4 values"):
        across_tasks(values)


# what is refused


def test_what_does_not_fit_is_refused():
    targets, (a,) = some(0)
    groups, folds = alone(targets)
    with pytest.raises(UnknownName, match="macro-f1"):
        interval("macro-f2", a, targets, groups, folds)
    with pytest.raises(BadInput, match="not defined for a single-label task"):
        interval("two-class-macro-f1", a, targets, groups, folds)
    with pytest.raises(BadInput, match=r"\(seeds, 40 clips, 4 classes\)"):
        interval("accuracy", a[0], targets, groups, folds)
    with pytest.raises(BadInput, match=r"shape \(1, 39, 4\)"):
        difference("accuracy", a, a[:, 1:], targets, groups, folds)
    with pytest.raises(BadInput, match="40 clips come with groups"):
        interval("accuracy", a, targets, groups[1:], folds)


def test_memory_is_bounded_and_chunks_change_nothing(monkeypatch):
    targets, (a,) = some(11, n_clips=60)
    whole = interval("roc-auc", a, targets, *alone(targets))
    monkeypatch.setattr(chance, "_CHUNK", 60 * 7)
    assert interval("roc-auc", a, targets, *alone(targets)) == whole
    assert max(weights.size for weights in Clips.of("roc-auc", targets, *alone(targets))._draws()) == 60 * 7


def test_a_group_in_two_folds_is_drawn_in_each_where_the_metric_is_averaged_over_them():
    targets, _ = some(0)
    folds = np.arange(40) % 2
    assert Clips.of("roc-auc", targets, ["same"] * 40, folds).n_groups == 2
    assert Clips.of("accuracy", targets, ["same"] * 40, folds).n_groups == 1
