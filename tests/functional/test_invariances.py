"""What a mixture's loss must not depend on, for random problems."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drumlin.functional import mixture_terms
from reference.problems import random_problem

pytestmark = pytest.mark.filterwarnings("error")
problems = st.builds(
    random_problem,
    st.sampled_from(["identity", "isotropic", "diagonal"]),
    prior=st.booleans(),
    n=st.integers(1, 5),
    k=st.integers(2, 6),
    d=st.integers(1, 6),
    seed=st.integers(0, 2**32),
)
spherical = st.builds(
    random_problem,
    st.sampled_from(["identity", "isotropic"]),
    n=st.integers(1, 5),
    k=st.integers(2, 6),
    d=st.integers(2, 6),
    seed=st.integers(0, 2**32),
)
losses = st.fixed_dictionaries(
    {
        "likelihood": st.sampled_from(["component", "mixture_bound"]),
        "margin_kind": st.sampled_from(["adaptive", "constant"]),
        "margin": st.sampled_from([0.0, 0.4]),
    }
)
few = settings(max_examples=40, deadline=None)


def terms_of(problem, z=None, y=None, means=None, log_var=None, log_prior=None, **loss):
    return mixture_terms(
        problem.z if z is None else z,
        problem.y if y is None else y,
        problem.means if means is None else means,
        problem.log_var if log_var is None else log_var,
        problem.log_prior if log_prior is None else log_prior,
        **loss,
    )


def same(a, b):
    torch.testing.assert_close(a.classification, b.classification)
    torch.testing.assert_close(a.likelihood, b.likelihood)


@few
@given(problems, losses, st.randoms())
def test_class_permutation(problem, loss, random):
    order = list(range(len(problem.means)))
    random.shuffle(order)
    place = torch.tensor(order).argsort()
    log_var = None if problem.log_var is None else problem.log_var[order]
    log_prior = None if problem.log_prior is None else problem.log_prior[order]
    before = terms_of(problem, **loss)
    after = terms_of(problem, None, place[problem.y], problem.means[order], log_var, log_prior, **loss)
    same(before, after)
    torch.testing.assert_close(before.logits[:, order], after.logits)
    assert place[before.prediction].tolist() == after.prediction.tolist()


@few
@given(spherical, losses, st.integers(0, 2**32))
def test_rotation(problem, loss, seed):
    size = problem.means.shape[1]
    noise = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    rotation = torch.linalg.qr(noise).Q
    before, after = (
        terms_of(problem, **loss),
        terms_of(problem, problem.z @ rotation, None, problem.means @ rotation, **loss),
    )
    same(before, after)
    torch.testing.assert_close(before.logits, after.logits)


@few
@given(problems, losses, st.floats(-50, 50))
def test_translation(problem, loss, shift):
    before, after = terms_of(problem, **loss), terms_of(problem, problem.z + shift, None, problem.means + shift, **loss)
    same(before, after)
    torch.testing.assert_close(before.logits, after.logits)


@few
@given(problems, losses, st.sampled_from([None, 1]))
def test_a_sample_does_not_depend_on_its_batch(problem, loss, class_chunk):
    whole = terms_of(problem, **loss, class_chunk=class_chunk)
    single = [
        terms_of(problem, problem.z[n : n + 1], problem.y[n : n + 1], **loss, class_chunk=class_chunk)
        for n in range(len(problem.z))
    ]
    torch.testing.assert_close(whole.classification, torch.cat([one.classification for one in single]))
    torch.testing.assert_close(whole.likelihood, torch.cat([one.likelihood for one in single]))
    assert whole.prediction.tolist() == [int(one.prediction) for one in single]


@few
@given(problems, losses)
def test_scaling_space_and_variances(problem, loss):
    """Features, means and √Λ three times as large: the posterior stays, so cross entropy with an adaptive margin does too."""
    if problem.log_var is None:
        return
    log_var = problem.log_var + 2 * torch.log(torch.tensor(3.0, dtype=torch.float64))
    before = terms_of(problem, **loss)
    after = terms_of(problem, problem.z * 3, None, problem.means * 3, log_var, **loss)
    torch.testing.assert_close(before.classification, after.classification)
    torch.testing.assert_close(before.logits.softmax(1), after.logits.softmax(1))
