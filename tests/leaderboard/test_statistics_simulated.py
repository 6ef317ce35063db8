"""What intervals, tests and ranks promise, by simulation; each test states the number of its simulations.

A rate that is measured by R simulations is bounded with three of its standard errors, sqrt(rate (1 - rate) / R). Two
methods of accuracy p agree on at least a share 2 p - 1 of clips: on at least 20 % at p = 0.6, 60 % at 0.8 and 90 % at
0.95, so of the nine cells (0.6, 0.8, 0.95) × agreement (0.5, 0.8, 0.95) three do not exist.
"""

from functools import cache

import numpy as np
import pytest
from scipy import special, stats

from mirbench.leaderboard.chance import Clips
from mirbench.leaderboard.sign_flips import sign_flip, sign_flips
from mirbench.leaderboard.statistics import compared, difference, holm, interval
from mirbench.metrics import METRICS
from mirbench.types import Targets
from tests.leaderboard.test_statistics_board import alone, of_hits

ACCURACIES, AGREEMENTS = (0.6, 0.8, 0.95), (0.5, 0.8, 0.95)
CELLS = [(p, agreement) for p in ACCURACIES for agreement in AGREEMENTS if agreement >= 2 * p - 1]


def above(rate, n):
    """What a measured rate stays below when the true one is no more than this."""
    return rate + 3 * np.sqrt(rate * (1 - rate) / n)


def below(rate, n):
    return rate - 3 * np.sqrt(rate * (1 - rate) / n)


def outcomes(accuracy, gap, agreement):
    """Probabilities that both are right, a alone, b alone, none; b has the accuracy, a is better by the gap."""
    a_alone, b_alone = (1 - agreement + gap) / 2, (1 - agreement - gap) / 2
    both = accuracy - b_alone
    return np.array([both, a_alone, b_alone, 1 - both - a_alone - b_alone])


def mcnemar(a_alone, b_alone):
    """McNemar's exact p, of the binomial distribution; what a table holds is compared with it below."""
    return min(1.0, 2 * special.bdtr(min(a_alone, b_alone), a_alone + b_alone, 0.5))


@cache
def counted(n, both, a_alone, b_alone):
    """The difference of two systems with these counts of clips."""
    kinds = np.repeat([3, 1, 2, 0], [both, a_alone, b_alone, n - both - a_alone - b_alone])
    targets, (a, b) = of_hits(kinds & 1, kinds >> 1)
    return difference("accuracy", a, b, targets, *alone(targets))


@cache
def wilson_of(n, hits):
    targets, (scores,) = of_hits(np.arange(n) < hits)
    found = interval("accuracy", scores, targets, *alone(targets))
    return found.low, found.high


def clustered(generator, n_sets, n_clips, probabilities, copied=0.9, size=5):
    """Outcomes (n_sets, n_groups, size): a clip has that of its group with probability ``copied``, or its own."""
    shape = (n_sets, n_clips // size, size)
    steps = np.cumsum(probabilities)[:-1]
    group = np.searchsorted(steps, generator.random((*shape[:2], 1)))
    return np.where(generator.random(shape) < copied, group, np.searchsorted(steps, generator.random(shape)))


def trained(generator, accuracy, n_seeds, spread, clips, shared=0.8):
    """Hits (n_seeds, n_clips): each seed has an accuracy of its own; ``clips`` are the difficulties, normal, of all."""
    own = np.clip(accuracy + spread * generator.standard_normal((n_seeds, 1)), 0.001, 0.999)
    latent = np.sqrt(shared) * clips + np.sqrt(1 - shared) * generator.standard_normal((n_seeds, len(clips)))
    return latent < special.ndtri(own)


def groups_of(n_clips, size=5):
    return np.arange(n_clips) // size


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (3, 5), (20, 9), (60, 60), (700, 640)])
def test_flips_of_signs_of_clips_are_mcnemars_exact_test(counts):
    assert sign_flip(np.repeat([1, -1], counts)) == pytest.approx(mcnemar(*counts))
    assert mcnemar(*counts) == pytest.approx(stats.binomtest(counts[0], max(sum(counts), 1), 0.5).pvalue) or not any(
        counts
    )


# equal systems


@pytest.mark.parametrize("n", [100, 290, 5085])
@pytest.mark.parametrize(("accuracy", "agreement"), CELLS)
def test_equal_systems_are_called_different_at_most_5_percent_of_the_time(n, accuracy, agreement):
    """2,000 simulations a cell."""
    draws = np.random.default_rng(n).multinomial(n, outcomes(accuracy, 0, agreement), size=2000)
    called = np.mean([mcnemar(a_alone, b_alone) < 0.05 for _, a_alone, b_alone, _ in draws.tolist()])
    assert called <= above(0.05, 2000)
    for both, a_alone, b_alone, _ in draws[:3].tolist():  # the shortcut is what a table holds
        assert counted(n, both, a_alone, b_alone).p == pytest.approx(mcnemar(a_alone, b_alone))


@pytest.mark.parametrize("n", [100, 290, pytest.param(5085, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("accuracy", "agreement"), [(0.6, 0.5), (0.8, 0.8), (0.95, 0.95)])
def test_equal_systems_on_groups_are_called_different_at_most_5_percent_of_the_time(n, accuracy, agreement):
    """2,000 simulations a cell, groups of 5 clips of which 90 % do as their group does; McNemar would call far more."""
    generator = np.random.default_rng(n)
    states = clustered(generator, 2000, n, outcomes(accuracy, 0, agreement))
    sums = (states == 1).sum(axis=2) - (states == 2).sum(axis=2)
    called = np.mean(sign_flips(sums) < 0.05)
    counts = np.stack([(states == kind).sum(axis=(1, 2)) for kind in (1, 2)], axis=1)
    naive = np.mean([mcnemar(*each) < 0.05 for each in counts.tolist()])
    assert called <= above(0.05, 2000)
    assert naive > (0.2 if n * (1 - agreement) > 10 else 0.1)
    hits = [np.isin(states[0].ravel(), kinds) for kinds in ((0, 1), (0, 2))]
    targets, (a, b) = of_hits(*hits)
    assert difference("accuracy", a, b, targets, groups_of(n), alone(targets)[1]).p == pytest.approx(sign_flip(sums[0]))


def seeds_called(n, accuracy, n_seeds, n_simulations, spread=0.02):
    """Share of simulations in which equal systems are called different: by our p, and by clips alone."""
    generator = np.random.default_rng(n + n_seeds)
    targets, _ = of_hits(np.ones(n))
    clips = Clips.of("accuracy", targets, *alone(targets))
    called = np.zeros(2)
    for _ in range(n_simulations):
        difficulty = generator.standard_normal(n)
        hits = [trained(generator, accuracy, n_seeds, spread, difficulty) for _ in range(2)]
        a, b = clips.systems(of_hits(*hits)[1])
        called += clips.p(a, b) < 0.05, sign_flip(a.hits - b.hits) < 0.05
    return called / n_simulations


@pytest.mark.parametrize(
    ("n", "accuracy", "n_seeds"), [(100, 0.6, 3), (290, 0.8, 2), pytest.param(290, 0.95, 5, marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_equal_systems_of_several_seeds_are_called_different_at_most_5_percent_of_the_time(n, accuracy, n_seeds):
    """1,000 simulations a cell; accuracy has an SD of 0.02 over seeds. A test over clips alone calls more."""
    ours, of_clips = seeds_called(n, accuracy, n_seeds, 1000)
    assert ours <= above(0.05, 1000)
    assert of_clips > (0.1 if n > 100 else 0.07)


@pytest.mark.slow
def test_equal_systems_of_three_seeds_on_5085_clips_are_called_different_at_most_5_percent_of_the_time():
    """1,000 simulations; with so many clips, clips alone call most pairs of equal systems different."""
    ours, of_clips = seeds_called(5085, 0.8, 3, 1000)
    assert ours <= above(0.05, 1000)
    assert of_clips > 0.5


# true differences


@pytest.mark.parametrize("agreement", [0.8, 0.9])
def test_a_gap_of_5_points_on_290_clips_is_found_as_often_as_theory_says(agreement):
    """20,000 simulations; the exact power is a sum over the counts of clips that only one system gets right."""
    n, probabilities = 290, outcomes(0.8, 0.05, agreement)
    _, a_alone, b_alone, _ = probabilities
    differ = a_alone + b_alone
    theory = 0.0
    for m in range(n + 1):
        wins = np.arange(m + 1)
        p = np.minimum(1, 2 * stats.binom.cdf(np.minimum(wins, m - wins), m, 0.5))
        found = stats.binom.pmf(wins, m, a_alone / differ)[p < 0.05].sum()
        theory += stats.binom.pmf(m, n, differ) * found
    draws = np.random.default_rng(0).multinomial(n, probabilities, size=20_000)
    power = np.mean([mcnemar(a, b) < 0.05 for _, a, b, _ in draws.tolist()])
    assert below(theory, 20_000) <= power <= above(theory, 20_000)
    assert theory == pytest.approx({0.8: 0.44, 0.9: 0.73}[agreement], abs=0.01)


@pytest.mark.slow
def test_seeds_make_a_gap_easier_to_find():
    """300 simulations: a gap of 5 points on 290 clips, seeds that differ by chance of clips alone."""
    generator = np.random.default_rng(0)
    found = {1: 0, 5: 0}
    for _ in range(300):
        difficulty = generator.standard_normal(290)
        hits = [trained(generator, accuracy, 5, 0, difficulty, shared=0.5) for accuracy in (0.85, 0.8)]
        targets, (a, b) = of_hits(*hits)
        for n in found:
            found[n] += difference("accuracy", a[:n], b[:n], targets, *alone(targets)).p < 0.05
    assert found[5] > 1.5 * found[1]


# intervals


@pytest.mark.parametrize("n", [100, 290, 5085])
@pytest.mark.parametrize("accuracy", [*ACCURACIES, 0.98])
def test_intervals_of_accuracy_cover_93_to_97_percent(n, accuracy):
    """20,000 simulations a cell."""
    hits = np.random.default_rng(n).binomial(n, accuracy, size=20_000)
    ends = np.array([wilson_of(n, each) for each in hits.tolist()])
    covered = np.mean((ends[:, 0] <= accuracy) & (accuracy <= ends[:, 1]))
    assert below(0.93, 20_000) <= covered <= above(0.97, 20_000)


def test_near_100_percent_wald_and_bootstrap_break_and_ours_does_not():
    """No simulation: coverage on 100 clips summed over all counts, at 300 true accuracies from 90 % to 99.99 %."""
    n, hits = 100, np.arange(101)
    share, ours = hits / n, np.array([wilson_of(n, each) for each in range(101)])
    half = 1.96 * np.sqrt(share * (1 - share) / n)
    percentile = np.stack([stats.binom.ppf(q, n, share) / n for q in (0.025, 0.975)], axis=1)
    plain = [stats.binomtest(int(each), n).proportion_ci(method="wilson") for each in hits]
    coverage = {}
    for name, ends in (
        ("ours", ours), ("Wald", np.stack([share - half, share + half], axis=1)), ("percentile", percentile),
        ("Wilson", np.array([(each.low, each.high) for each in plain])),
    ):  # fmt: skip
        coverage[name] = [
            stats.binom.pmf(hits, n, p)[(ends[:, 0] <= p) & (p <= ends[:, 1])].sum()
            for p in (0.95, 0.98, *np.linspace(0.9, 0.9999, 300))
        ]
    assert coverage["Wald"][0] == pytest.approx(0.877, abs=0.001)
    assert coverage["Wald"][1] == pytest.approx(0.866, abs=0.001)
    assert coverage["percentile"][1] == pytest.approx(0.866, abs=0.001)
    assert min(coverage["Wald"][2:]) < 0.02
    assert min(coverage["percentile"][2:]) < 0.02
    assert min(coverage["Wilson"][2:]) < 0.87
    assert min(coverage["ours"]) > 0.925


@pytest.mark.parametrize(("n", "accuracy"), [(100, 0.6), (100, 0.95), (290, 0.8), (290, 0.95)])
def test_intervals_of_accuracy_on_groups_cover_93_to_99_percent(n, accuracy):
    """1,000 simulations a cell, groups of 5 clips of which 80 % do as their group does; clips alone cover far less."""
    states = clustered(np.random.default_rng(n), 1000, n, [1 - accuracy, accuracy], copied=0.8)
    covered = np.zeros(2)
    for hits in states.reshape(1000, -1):
        targets, (scores,) = of_hits(hits)
        found = interval("accuracy", scores, targets, groups_of(n), np.zeros(n, dtype=int))
        low, high = wilson_of(n, int(hits.sum()))
        covered += found.low <= accuracy <= found.high, low <= accuracy <= high
    ours, naive = covered / 1000
    assert below(0.93, 1000) <= ours <= above(0.985, 1000)
    assert naive < 0.85


@pytest.mark.parametrize(
    ("n", "accuracy", "n_seeds"), [(100, 0.8, 3), (290, 0.95, 3), pytest.param(290, 0.8, 5, marks=pytest.mark.slow)]
)
def test_intervals_of_several_seeds_cover_93_to_98_percent(n, accuracy, n_seeds):
    """1,000 simulations a cell; accuracy has an SD of 0.02 over seeds, of 0.01 at 95 %."""
    generator = np.random.default_rng(n + n_seeds)
    covered = 0
    for _ in range(1000):
        difficulty = generator.standard_normal(n)
        spread = 0.02 if accuracy < 0.95 else 0.01  # so that no seed comes near 100 %
        targets, (scores,) = of_hits(trained(generator, accuracy, n_seeds, spread, difficulty))
        found = interval("accuracy", scores, targets, *alone(targets))
        covered += found.low <= accuracy <= found.high
    assert below(0.93, 1000) <= covered / 1000 <= above(0.98, 1000)


@pytest.mark.parametrize("n", [100, 290])
@pytest.mark.parametrize("gap", [0.0, 0.05])
@pytest.mark.parametrize(("accuracy", "agreement"), [(0.6, 0.5), (0.8, 0.8), (0.6, 0.95), (0.9, 0.95)])
def test_intervals_of_differences_cover_93_to_97_percent_or_more_where_few_clips_differ(n, gap, accuracy, agreement):
    """2,000 simulations a cell. Where ten clips or fewer are expected to differ they cover up to 99.5 %."""
    draws = np.random.default_rng(n).multinomial(n, outcomes(accuracy, gap, agreement), size=2000)
    found = [counted(n, n - a - b, a, b) for _, a, b, _ in draws.tolist()]  # whom the rest favours changes nothing
    covered = np.mean([each.low <= gap <= each.high for each in found])
    few = n * (1 - agreement) <= 15
    assert below(0.93, 2000) <= covered <= above(0.995 if few else 0.97, 2000)


@pytest.mark.slow
@pytest.mark.parametrize(("accuracy", "agreement"), [(0.8, 0.8), (0.95, 0.95)])
def test_intervals_of_differences_on_5085_clips_cover_93_to_97_percent(accuracy, agreement):
    """1,000 simulations a cell."""
    draws = np.random.default_rng(0).multinomial(5085, outcomes(accuracy, 0, agreement), size=1000)
    found = [counted(5085, 5085 - a - b, a, b) for _, a, b, _ in draws.tolist()]
    covered = np.mean([each.low <= 0 <= each.high for each in found])
    assert below(0.93, 1000) <= covered <= above(0.97, 1000)


def scored(generator, n, *strengths, n_classes=4):
    """Targets of a task of n_classes, and scores of systems that share the difficulty of clips."""
    value = np.eye(n_classes, dtype=np.float32)[generator.integers(n_classes, size=n)]
    shared = 0.8 * generator.standard_normal(value.shape)
    scores = [
        special.softmax(strength * value + shared + 0.6 * generator.standard_normal(value.shape), axis=1)
        for strength in strengths
    ]
    targets = Targets(value, np.ones(value.shape, dtype=bool), "single-label")
    return targets, [each.astype(np.float32)[None] for each in scores]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["macro-f1", "roc-auc"])
@pytest.mark.parametrize("strength", [1.5, 3.0])
def test_bootstrap_intervals_on_290_clips_cover_92_to_98_percent(name, strength):
    """500 simulations a cell, against the value on 200,000 clips."""
    generator = np.random.default_rng(0)
    targets, (scores,) = scored(generator, 200_000, strength)
    truth = METRICS[name].function(scores[0], targets)
    covered = 0
    for _ in range(500):
        targets, (scores,) = scored(generator, 290, strength)
        found = interval(name, scores, targets, *alone(targets))
        covered += found.low <= truth <= found.high
    assert below(0.92, 500) <= covered / 500 <= above(0.98, 500)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["macro-f1", "roc-auc"])
def test_equal_systems_are_called_different_by_the_paired_bootstrap_5_percent_of_the_time(name):
    """500 simulations on 100 clips."""
    generator = np.random.default_rng(1)
    called = 0
    for _ in range(500):
        targets, (a, b) = scored(generator, 100, 1.5, 1.5)
        called += difference(name, a, b, targets, *alone(targets)).p < 0.05
    assert called / 500 <= above(0.05, 500)


# tables


def tables(n_clips, n_systems, n_tables, accuracy=0.8, agreement=0.8):
    """Hits (n_systems, n_clips) of tables whose rows are equally good, and any two agree on this share of clips."""
    generator = np.random.default_rng(n_systems)
    shared = 1 - (1 - agreement) / (2 * accuracy * (1 - accuracy))
    weight = 1 / shared - 1
    for _ in range(n_tables):
        ease = generator.beta(accuracy * weight, (1 - accuracy) * weight, size=n_clips)
        yield generator.random((n_systems, n_clips)) < ease


@pytest.mark.parametrize(
    ("n_clips", "n_systems", "best_against_each"),
    [(100, 2, 0.030), (290, 5, 0.070), (290, 8, 0.094), (100, 20, 0.14), (290, 20, 0.166)],
)
def test_of_equal_rows_one_is_called_worse_than_the_best_in_at_most_5_percent_of_tables(
    n_clips, n_systems, best_against_each
):
    """1,000 tables a cell: Holm over all pairs keeps to 5 %; over the best against each other row it does not."""
    first, second = np.triu_indices(n_systems, 1)
    called = np.zeros(2)
    for hits in tables(n_clips, n_systems, 1000):
        alone_right = hits.sum(axis=1)[:, None] - hits.astype(int) @ hits.T.astype(int)
        pairs = np.sort([alone_right[first, second], alone_right[second, first]], axis=0).T.tolist()
        p = np.array([mcnemar(*pair) for pair in pairs])
        best = int(hits.sum(axis=1).argmax())
        with_best = (first == best) | (second == best)
        called += (holm(p)[with_best] < 0.05).any(), (holm(p[with_best]) < 0.05).any()
    all_pairs, against_best = called / 1000
    assert all_pairs <= above(0.05, 1000)
    assert below(best_against_each, 1000) <= against_best <= above(best_against_each, 1000)


def test_compared_is_what_the_tables_above_count():
    (hits,) = tables(100, 5, 1)
    targets, systems = of_hits(*hits)
    adjusted = compared("accuracy", systems, targets, *alone(targets))
    first, second = np.triu_indices(5, 1)
    alone_right = hits.sum(axis=1)[:, None] - hits.astype(int) @ hits.T.astype(int)
    p = [mcnemar(int(alone_right[i, j]), int(alone_right[j, i])) for i, j in zip(first, second, strict=True)]
    assert adjusted[first, second] == pytest.approx(holm(p))
