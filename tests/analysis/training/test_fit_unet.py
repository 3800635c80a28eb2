"""A network learns, and an interrupted fit goes on where it was."""

import time

import numpy as np
import pytest

from analysis.simulation.dataset import save_field
from analysis.training.checkpoint import Moment, TrainingError, standing_of
from analysis.training.crops import OVERLAP, PARTICLE, SEAM, UNKNOWN, channels, marks_of
from analysis.training.fit_unet import (
    LEAST_GAIN,
    FitRecipe,
    _Run,
    checkpoint_weights,
    compiled,
    cost_of_marks,
    cross_entropy_and_dice,
    fit_unet,
)
from analysis.training.held_out import THRESHOLD, held_out_crops, pooled_dice, predicted
from analysis.training.labelled import labelled_images
from analysis.training.loader import SamplePool
from analysis.training.sources import LabelledImages, SimulatedFields, parted
from tests.analysis.training.fields import disc_field
from tests.analysis.training.test_labelled import put

TINY = FitRecipe(
    filters=2,
    steps=4,
    batch=2,
    warm_up_steps=1,
    checkpoint_steps=2,
    log_steps=2,
    start_samples=2,
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Labelled micrographs: their renderer starts faster than one that simulates."""
    folder = put(tmp_path_factory.mktemp("mine"))
    found, _ = labelled_images(folder)
    return [LabelledImages(name="mine", images=found)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("fields")
    save_field(place / "field_000000.npz", disc_field())
    return place


def _one_hot(particle, seam=0, overlap=0):
    rare = [seam + 0 * particle, overlap + 0 * particle]
    return np.stack([1 - particle, particle, *rare], axis=-1).astype(np.float32)


@pytest.mark.parametrize("rare", ["seam", "overlap"])
def test_a_missed_seam_or_overlap_costs_and_a_network_without_them_pays_nothing(rare):
    particle = np.ones((1, 8, 8), np.float32)
    truth = _one_hot(particle, **{rare: 1})
    found, missed = _one_hot(particle, **{rare: 1}), _one_hot(particle, **{rare: 0})
    costs = [float(cross_entropy_and_dice(truth, one)) for one in (found, missed, missed[..., :2])]
    assert costs[0] == pytest.approx(0, abs=1e-3)
    assert costs[1] > 5
    assert costs[2] == pytest.approx(0, abs=1e-3)


def test_the_loss_is_nearly_zero_for_the_truth_and_large_for_its_opposite():
    particle = (np.arange(64).reshape(1, 8, 8) % 3 == 0).astype(np.float32)
    right = float(cross_entropy_and_dice(_one_hot(particle), _one_hot(particle)))
    wrong = float(cross_entropy_and_dice(_one_hot(particle), _one_hot(1 - particle)))
    assert right == pytest.approx(0, abs=1e-3)
    assert wrong > 10


def test_an_interrupted_fit_goes_on_and_a_finished_one_stays(sources, tmp_path):
    checkpoint = tmp_path / "unet.npz"
    half = FitRecipe(**{**TINY.__dict__, "steps": 2})
    fit_unet(sources, checkpoint, half)
    with np.load(checkpoint) as stored:
        assert int(stored["step"]) == 2
    fit_unet(sources, checkpoint, TINY)
    with np.load(checkpoint) as stored:
        assert int(stored["step"]) == 4
    finished = checkpoint_weights(checkpoint)
    again = fit_unet(sources, checkpoint, TINY)
    assert all(np.array_equal(one, other) for one, other in zip(finished, again, strict=True))


def test_a_batch_is_crops_and_complementary_channels(folder):
    with SamplePool(folder, seed=1) as pool:
        inputs, marks = pool.batch(3)
    assert inputs.shape == marks.shape == (3, 256, 256, 1)
    truth = channels(marks[..., 0])
    assert np.array_equal(truth[..., :2].sum(axis=-1), np.ones((3, 256, 256)))
    assert truth[..., 1].any()


def test_a_pool_that_spares_the_processor_takes_one_new_sample_in_so_many_batches(sources):
    with SamplePool(sources, seed=1, start_samples=2, batches_per_sample=3) as pool:
        while pool._queue.qsize() < 4:
            time.sleep(0.05)
        for _ in range(7):
            pool.batch(1)
        assert pool.rendered == 2 + 2


def test_a_source_without_a_share_is_not_drawn_from(sources, folder):
    simulated = SimulatedFields(folder=folder)
    with SamplePool([simulated, *sources], seed=1, start_samples=6, shares=(0, 1)) as pool:
        assert all(
            (channels(sample.marks)[..., OVERLAP] == UNKNOWN).all() for sample in pool._samples
        )


def test_a_renderer_that_dies_is_noticed(sources):
    with SamplePool(sources, seed=1) as pool:
        pool._processes[0].terminate()
        pool._processes[0].join()
        with pytest.raises(TrainingError, match="renderers"):
            pool.batch(1)


def test_the_result_is_the_mean_of_the_last_checkpoints(sources, tmp_path):
    checkpoint = tmp_path / "unet.npz"
    averaging = {**TINY.__dict__, "checkpoint_steps": 1, "average_from": 3}
    fit_unet(sources, checkpoint, FitRecipe(**{**averaging, "steps": 3}))
    third = _weights(checkpoint)
    mean = fit_unet(sources, checkpoint, FitRecipe(**averaging))
    fourth = _weights(checkpoint)
    assert any(np.abs(one - other).max() > 1e-4 for one, other in zip(third, fourth, strict=True))
    for one, other, both in zip(third, fourth, mean, strict=True):
        assert both == pytest.approx((one + other) / 2, abs=1e-6)


def _weights(checkpoint):
    with np.load(checkpoint) as stored:
        return [stored[name] for name in sorted(stored.files) if name.startswith("weight_")]


@pytest.mark.parametrize("rare", ["seam", "overlap"])
def test_seams_and_overlaps_that_nobody_marked_cost_nothing(rare):
    particle = np.ones((1, 8, 8), np.float32)
    for found in (0, 1):
        unknown, there = (_one_hot(particle, **{rare: one}) for one in (UNKNOWN, found))
        assert float(cross_entropy_and_dice(unknown, there)) == pytest.approx(0, abs=1e-3)


def test_the_packed_truth_costs_what_the_unpacked_one_does():
    rng = np.random.default_rng(3)
    instances = rng.integers(0, 3, (2, 24, 24)).astype(np.uint16)
    marks = np.stack([marks_of(instances[0]), marks_of(instances[1], unknown=(SEAM, OVERLAP))])
    predicted_there = rng.uniform(0.1, 0.9, (2, 24, 24, 4)).astype(np.float32)
    packed = float(cost_of_marks(marks[..., None], predicted_there))
    unpacked = float(cross_entropy_and_dice(channels(marks), predicted_there))
    assert packed == pytest.approx(unpacked, rel=1e-5)


def held_out_of(sources):
    return held_out_crops(sources, seed=1, crops=4)


def test_the_weights_that_did_best_on_what_is_held_out_are_kept(sources, tmp_path):
    checkpoint, heard = tmp_path / "unet.npz", []
    recipe = FitRecipe(**{**TINY.__dict__, "checkpoint_steps": 1})
    result = fit_unet(
        sources,
        checkpoint,
        recipe,
        held_out=held_out_of(sources),
        progress=lambda *said: heard.append((*said[:2], said[2].step)),
        about={"data": "these"},
    )
    assert heard == [(step, 4, step) for step in (1, 2, 3, 4)]
    with pytest.raises(TrainingError, match="another data"):
        fit_unet(sources, checkpoint, recipe, about={"data": "others"})
    standing = standing_of(checkpoint)
    dices = [moment.held_out_dice for moment in standing.history]
    assert standing.best_moment.held_out_dice == pytest.approx(max(dices), abs=LEAST_GAIN)
    assert all(np.array_equal(one, other) for one, other in zip(result, standing.best, strict=True))
    network = compiled(recipe)
    network.set_weights(result)
    held_out = held_out_of(sources)
    found = predicted(network, held_out.inputs, 2)[..., PARTICLE] >= THRESHOLD
    again = pooled_dice(held_out.particle, found)
    assert again == pytest.approx(standing.best_moment.held_out_dice, abs=1e-6)


def test_judging_other_weights_leaves_the_network_as_it_was(sources, tmp_path):
    network = compiled(TINY)
    weights = network.get_weights()
    other = [weight + 0.1 for weight in weights]
    run = _Run(network, TINY, tmp_path / "unet.npz", {}, held_out_of(sources))
    judged = run._judged(Moment(step=1, loss=1.0), other, weights)
    assert judged.held_out_dice is not None
    pairs = zip(network.get_weights(), weights, strict=True)
    assert all(np.array_equal(one, same) for one, same in pairs)


def test_a_fit_that_no_longer_gains_ends(sources, tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.training.fit_unet.LEAST_GAIN", 1.0)
    changed = {"steps": 20, "checkpoint_steps": 1, "patience": 2}
    recipe = FitRecipe(**{**TINY.__dict__, **changed})
    fit_unet(sources, tmp_path / "unet.npz", recipe, held_out=held_out_of(sources))
    assert standing_of(tmp_path / "unet.npz").step == 3
    fit_unet(sources, tmp_path / "unet.npz", recipe, held_out=held_out_of(sources))
    assert standing_of(tmp_path / "unet.npz").step == 3


def test_a_fit_begins_with_the_weights_it_is_given(sources, tmp_path):
    recipe = FitRecipe(**{**TINY.__dict__, "steps": 1, "warm_up_steps": 1, "learning_rate": 1e-9})
    start = [weight + 0.5 for weight in compiled(recipe).get_weights()]
    result = fit_unet(sources, tmp_path / "unet.npz", recipe, start=start)
    learned = compiled(recipe).trainable_variables
    assert len(learned) < len(result)
    moved = [np.abs(one - other).max() for one, other in zip(result, start, strict=True)]
    assert np.median(moved) < 1e-6


def test_a_network_learns_from_labelled_micrographs(tmp_path):
    for name in "abcde":
        put(tmp_path / "mine", name)
    found, _ = labelled_images(tmp_path / "mine")
    training, held_out = parted([LabelledImages(name="mine", images=found)], seed=1)
    changed = {"filters": 4, "steps": 40, "checkpoint_steps": 20, "learning_rate": 5e-3}
    recipe = FitRecipe(**{**TINY.__dict__, **changed})
    crops = held_out_crops(held_out, seed=1, crops=4)
    fit_unet(training, tmp_path / "unet.npz", recipe, held_out=crops)
    first, last = standing_of(tmp_path / "unet.npz").history
    assert last.loss < first.loss
