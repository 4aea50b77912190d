"""How networks are run: the fast form where it agrees, batches that fit, and a device that is lost."""

import gc
import weakref

import pytest
import torch
from torch import nn

from harness import networks, spaces
from harness.archives import open_archive
from harness.cli.main import main
from harness.cli.session import selections
from harness.config import compose
from harness.datasets import Normalisation
from harness.errors import EvaluationError, StoppedEarlyError, StoreError, WorkerLostError
from harness.runner import local
from harness.runner.evaluate import Context, evaluate
from harness.runner.inference import FAST, PLAIN, TOLERANCE, Inference
from harness.runner.memory import claim_share, fitting_batch
from harness.runner.plan import halve, make_plan
from harness.runner.remote import InferenceTask, Request
from harness.store import open_store
from harness.store.audit import gate_counts

CONSTANTS = Normalisation((0.5, 0.4, 0.3), (0.25, 0.25, 0.25))
N_IMAGES = 100
ALL_SKIPS = spaces.get("tss").arch_index(
    "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
)


@pytest.fixture(autouse=True)
def one_thread():
    """As in a worker: with more, each takes batches of its own, and no more images than its share."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pixels():
    return torch.randint(256, (N_IMAGES, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def network(arch_index=11):
    with torch.random.fork_rng():
        torch.manual_seed(arch_index)
        return networks.build("tss", spaces.get("tss").arch_str(arch_index), 10, channels=4, cells=1).eval()


def plain_logits(net, pixels):
    return networks.infer(net, pixels, *CONSTANTS, batch_size=N_IMAGES, device="cpu")


def test_the_fast_form_is_taken_where_it_agrees(pixels):
    net = network()
    found = Inference("cpu").run(net, pixels, CONSTANTS)
    expected = plain_logits(net, pixels)
    assert found.how == (FAST, N_IMAGES)
    assert (found.logits - expected).abs().max() <= TOLERANCE * expected.abs().max().clamp(min=1)


def test_a_network_whose_fast_form_deviates_is_run_plainly(pixels):
    net = network(ALL_SKIPS)
    features = []
    net.cells.register_forward_hook(lambda *values: features.append(values[-1]))
    with torch.no_grad():
        # Large values that cancel only at the end: what is left is rounding, and that is another in another form.
        net.stem[1].bias.fill_(1e6)
        for reduction in (net.cells[1], net.cells[3]):
            reduction.conv_b.op[2].weight.zero_()
        plain_logits(net, pixels)
        net.lastact[0].running_mean.copy_(torch.cat(features).mean(dim=(0, 2, 3)))
        net.lastact[0].running_var.fill_(1e-5)
    found = Inference("cpu").run(net, pixels, CONSTANTS)
    assert found.how.network_form == PLAIN
    assert torch.equal(found.logits, plain_logits(net, pixels))


def test_weights_that_are_not_finite_are_not_hidden(pixels):
    net = network()
    with torch.no_grad():
        net.classifier.bias[3] = float("nan")
    found = Inference("cpu").run(net, pixels, CONSTANTS)
    assert found.how.network_form == PLAIN
    assert found.logits[:, 3].isnan().all()


class Narrow(nn.Module):
    """Has memory for so many images only; stands for a GPU, whose memory cannot be had here."""

    def __init__(self, room, error):
        super().__init__()
        self.room, self.error, self.passes = room, error, []

    def forward(self, images):
        self.passes.append(len(images))
        if len(images) > self.room:
            raise self.error
        return images.mean(dim=(2, 3))


SHORT = (
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    torch.AcceleratorError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling cublasCreate(handle)"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
    RuntimeError("CUDA driver error: out of memory"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes"),
)


@pytest.mark.parametrize("error", SHORT)
def test_batches_are_halved_until_they_fit_and_stay_so(pixels, error):
    net, inference = Narrow(30, error), Inference("cpu", 100, min_batch_size=5)
    first = inference.run(net, pixels, CONSTANTS)
    again = inference.run(net, pixels, CONSTANTS)
    assert first.how == again.how == (PLAIN, 25)
    assert net.passes == [100, 50, *[25] * 8]
    expected = (pixels.float() / 255).mean(dim=(2, 3)).sub(torch.tensor(CONSTANTS.mean)) / 0.25
    torch.testing.assert_close(first.logits, expected)


def test_below_the_declared_minimum_it_is_a_failure_of_the_unit(pixels):
    net, inference = Narrow(3, torch.OutOfMemoryError("CUDA out of memory")), Inference("cpu", 100, min_batch_size=5)
    with pytest.raises(EvaluationError, match=r"memory of cpu .* runner.min_batch_size=5.*retry"):
        inference.run(net, pixels, CONSTANTS)
    assert net.passes == [100, 50, 25, 12, 6]


def test_want_of_host_memory_is_left_to_the_runner(pixels):
    net = Narrow(3, RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    with pytest.raises(RuntimeError, match="can't allocate"):
        Inference("cpu", 100, min_batch_size=5).run(net, pixels, CONSTANTS)


@pytest.mark.parametrize(("of_image", "of_device", "expected"), [(1.0, 1.0, 1), (1.0, 4.0, 2), (1e6, 1.4e11, 65536)])
def test_a_fitting_batch_takes_at_most_half_of_the_memory(of_image, of_device, expected):
    assert fitting_batch(of_image, of_device) == expected


def test_a_share_of_a_gpu_is_claimed_by_its_index(monkeypatch):
    claimed = []
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *given: claimed.append(given))
    for device, share in (("cpu", 0.5), ("cuda", 1.0), ("cuda", 0.5), ("cuda:1", 0.25)):
        claim_share(device, share)
    assert claimed == [(0.475, 3), (0.2375, 1)]  # torch refuses a device without an index here


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; the CPU twins are above")
def test_a_share_of_a_real_gpu_is_claimed(pixels):
    inference = Inference("cuda", memory_share=0.5)
    inference.claim_device()
    assert inference.run(network(), pixels, CONSTANTS).how.network_form == FAST
    torch.cuda.set_per_process_memory_fraction(1.0, torch.cuda.current_device())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; the CPU twins are above")
def test_the_batch_on_a_gpu_comes_from_measured_memory(pixels):
    net = network()
    found = Inference("cuda").run(net, pixels, CONSTANTS)
    assert found.how.network_form == FAST
    assert found.how.batch_size >= 64
    expected = plain_logits(network(), pixels)
    assert (found.logits - expected).abs().max() <= TOLERANCE * expected.abs().max().clamp(min=1)


LOST = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


@pytest.mark.parametrize(
    "text",
    [
        "No CUDA GPUs are available",
        "CUDA unknown error - this may be due to an incorrectly set up environment",
        "CUDA driver initialization failed, you might not have a CUDA gpu.",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    ],
)
def test_what_a_process_says_that_starts_on_a_lost_device_is_understood(text):
    assert networks.is_device_lost(RuntimeError(text))
    assert not networks.is_out_of_memory(RuntimeError(text))


def test_a_device_that_cannot_be_used_is_found_before_work():
    Inference("cpu").claim_device()
    with pytest.raises(WorkerLostError, match="the device cuda:99 cannot be used: "):
        Inference("cuda:99").claim_device()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_network_that_is_run_plainly_is_forgotten_with_its_last_holder(pixels, precision):
    inference, net = Inference("cpu", precision=precision), Narrow(100, ValueError())
    assert inference.run(net, pixels, CONSTANTS).how.network_form == PLAIN
    held = weakref.ref(net)
    del net
    gc.collect()
    assert held() is None


def test_a_lost_device_is_no_failure_of_a_unit(pixels):
    assert networks.is_device_lost(LOST)
    assert not networks.is_device_lost(RuntimeError("shapes differ"))
    with pytest.raises(WorkerLostError, match="the device cpu is lost: CUDA error"):
        Inference("cpu").run(Narrow(0, LOST), pixels, CONSTANTS)


def test_a_server_that_has_lost_its_device_ends(pixels):
    """In a process of its own, which another takes the place of."""
    server = InferenceTask(Inference("cpu"), 1).start()
    assert networks.is_device_lost(RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"))
    context = torch.multiprocessing.get_context("fork")
    request = Request("net", "images", CONSTANTS, Narrow(0, LOST), pixels)
    process = context.Process(target=server, args=(request,))
    process.start()
    process.join()
    assert process.exitcode == 1


class Unmovable(torch.Tensor):
    """Pixels on whose way to the device something fails."""

    def to(self, *_, **__):
        raise LOST


def test_a_device_that_is_lost_while_images_are_moved_is_lost(pixels):
    with pytest.raises(WorkerLostError, match="the device cpu is lost"):
        Inference("cpu").moved(pixels.as_subclass(Unmovable))


def test_a_pass_holds_no_more_than_there_is(pixels):
    assert Inference("cpu", 500).run(network(), pixels[:20], CONSTANTS).how.batch_size == 20


class LosesItsDevice:
    """A task whose worker has lost its device."""

    def start(self):
        def work(item):
            raise WorkerLostError("the device cuda is lost")

        return work


def test_in_one_process_a_lost_device_ends_the_run():
    with pytest.raises(StoppedEarlyError, match="run again to resume"):
        list(local.place(LosesItsDevice(), [1], lambda item: [item]))


@pytest.fixture(scope="module")
def words(overrides):
    return [*overrides, "study.spaces=[tss]", "study.conditions=[unshifted]", "limit=2"]


def test_a_network_that_has_room_for_less_makes_rows_that_say_so(words, monkeypatch):
    """Through the whole evaluation: the plain form of a real network, on a device that takes 40 images at a time."""
    settings = compose(words)
    passes = networks.infer

    def narrow(net, pixels, *constants, batch_size, **settings):
        if batch_size > 40 and len(pixels) > 40:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return passes(net, pixels, *constants, batch_size=batch_size, **settings)

    monkeypatch.setattr(networks, "infer", narrow)
    (archive,) = settings.archives
    (parcel,) = make_plan(settings.study, selections(settings), settings.library, None).parcels(64)
    archives = {"tss": open_archive(settings.archive_path(archive))}
    for minimum, sizes in ((16, {31}), (40, set())):
        context = Context(archives, Inference("cpu", 500, min_batch_size=minimum), settings.library)
        evaluated = evaluate(parcel, context)
        assert {row["batch_size"] for row in evaluated.rows} == sizes
        failed = [failure for failure in evaluated.failures if failure.kind == "failed"]
        assert len(failed) == (0 if sizes else len(parcel.units) - (len(evaluated.failures) - len(failed)))
        assert all("runner.min_batch_size=40" in failure.message for failure in failed)
    assert halve(parcel)


def rows_of(root, precision):
    store = open_store(f"{root}/store")
    found = store.sql(f"SELECT * FROM all_measurements WHERE precision = '{precision}'").df()
    return found.sort_values(["arch_index", "seed", "calibrator"]).reset_index(drop=True)


def test_precisions_are_kept_apart(words, tmp_path, capsys):
    words = [*words, f"results={tmp_path}", "study.protocols=[clean]"]
    assert main(["run", *words]) == 0
    rough = [*words, "study.precision=bfloat16", "keep_logits=float32"]
    assert main(["run", *rough]) == 0
    assert main(["verify", *rough]) == 0
    exact, coarse = rows_of(tmp_path, "float32"), rows_of(tmp_path, "bfloat16")
    assert len(exact) == len(coarse) > 0
    assert set(exact["fingerprint"]).isdisjoint(coarse["fingerprint"])
    assert not exact["NLL"].equals(coarse["NLL"])
    assert (exact["NLL"] - coarse["NLL"]).abs().max() < 0.1
    # One store holds both: it is sound for either, nothing of the other is pruned, and reading asks which is meant.
    for of in (words, rough):
        assert main(["verify", *of]) == 0
        capsys.readouterr()
        assert main(["store", "prune", *of]) == 0
        assert "nothing to prune" in capsys.readouterr().out
    store = open_store(f"{tmp_path}/store")
    with pytest.raises(StoreError, match='choose by precision="bfloat16" or precision="float32", or with'):
        store.measurements()
    assert set(store.measurements(precision="bfloat16").df()["precision"]) == {"bfloat16"}
    assert set(store.measurements(fingerprint="commonest").df()["precision"]) == {"float32"}
    assert set(store.models().df()["precision"]) == {"float32", "bfloat16"}
    n_models = len(store.models().df()) // 2
    assert sum(gate_counts(store, precision="float32").values()) == n_models
    assert sum(gate_counts(store).values()) == 2 * n_models
    # Logits in bfloat16 are measured again as such, and not taken for others.
    capsys.readouterr()
    assert main(["measure", *words]) == 2
    assert "no logits of float32 stored as float32" in capsys.readouterr().err
    assert main(["measure", *rough, "study.families=[study,signed]"]) == 0
    again = rows_of(tmp_path, "bfloat16")
    assert all("signed@1" in families for families in again["families"])
    assert again["NLL"].equals(coarse["NLL"])


def test_networks_of_another_precision_are_not_missed(words, tmp_path):
    """A store with one network in bfloat16 and another in float32 is sound: nothing says that they are comparable."""
    words = [*words, f"results={tmp_path}", "study.protocols=[clean]"]
    first, second = (f"study.archs={archive_index}" for archive_index in held(words)[:2])
    assert main(["run", *words, first, "study.precision=bfloat16"]) == 0
    assert main(["run", *words, second]) == 0
    assert main(["verify", *words, second]) == 0


def held(words):
    settings = compose(words)
    return list(open_archive(settings.archive_path(settings.archives[0])).held)


def test_other_batches_make_no_unequal_rows(words, tmp_path, capsys):
    words = [*words, f"results={tmp_path}", "study.protocols=[clean]"]
    assert main(["run", *words]) == 0
    more = [*words, "study.families=[study,signed]"]
    assert main(["run", *more, "runner.batch_size=64"]) == 0
    assert main(["verify", *more]) == 0
    capsys.readouterr()
    assert main(["store", "prune", "--yes", *more]) == 0
    assert "removed" in capsys.readouterr().out
    assert set(open_store(f"{tmp_path}/store").measurements().df()["batch_size"]) == {64}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["study.precision=float64"], "study.precision: unknown value 'float64'; expected among float32, tf32"),
        (["runner.batch_size=8"], "runner.batch_size=8 is less than runner.min_batch_size=16"),
        (["runner.batch_size=0"], "runner.batch_size: expected a positive number, got 0"),
        (["runner.min_batch_size=0"], "runner.min_batch_size: expected a positive number, got 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(overrides, tmp_path, capsys, words, message):
    for command in ("plan", "run"):
        assert main([command, *overrides, *words, f"results={tmp_path}"]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "store").exists()
