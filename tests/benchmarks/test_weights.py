import numpy as np
import pytest

from benchmarks.weights import NETWORKS, Network, gaussian, prune, share, state_dict


@pytest.fixture(scope="module")
def lenet() -> dict[str, np.ndarray]:
    return state_dict(NETWORKS["lenet-300-100"])


def test_layers_have_their_density_and_codebook(lenet: dict[str, np.ndarray]) -> None:
    weights = [tensor for tensor in lenet.values() if tensor.ndim == 2]
    for tensor, (density, bits) in zip(weights, NETWORKS["lenet-300-100"].layers, strict=True):
        stored = tensor[tensor != 0]
        assert stored.size == round(tensor.size * density)
        assert len(np.unique(stored)) <= 1 << bits
    assert [tensor.shape for tensor in weights] == [(300, 784), (100, 300), (10, 100)]


def test_a_seed_gives_the_same_bits(lenet: dict[str, np.ndarray]) -> None:
    again = state_dict(NETWORKS["lenet-300-100"])
    other = state_dict(NETWORKS["lenet-300-100"], seed=1)
    assert all(np.array_equal(lenet[name], again[name]) for name in lenet)
    assert not np.array_equal(lenet["fc1.weight"], other["fc1.weight"])


@pytest.mark.parametrize("name", ["lenet-5", "resnet-20", "vgg16-half"])
def test_tables_fit_their_architectures(name: str) -> None:
    tensors = state_dict(NETWORKS[name])
    assert all(tensor.dtype == np.float32 for key, tensor in tensors.items() if "num_batches" not in key)
    assert all(tensor.min() > 0 for key, tensor in tensors.items() if key.endswith("running_var"))


def test_a_table_with_a_layer_too_many_is_refused() -> None:
    network = Network("x", "lenet_300_100", ((0.5, 2),) * 4, 5)
    with pytest.raises(ValueError, match="4 layers in the table"):
        state_dict(network)


def test_rows_and_columns_differ_in_scale() -> None:
    weights = gaussian((400, 400), np.random.default_rng(0))
    for axis in (0, 1):
        spread = np.log(weights.std(axis=axis)).std()
        assert 0.25 < spread < 0.35


def test_pruning_keeps_the_largest() -> None:
    weights = np.array([[3, -1, 0.5, -4]], np.float32)
    assert prune(weights, 0.5).tolist() == [[3, 0, 0, -4]]


def test_sharing_moves_each_weight_to_its_nearest_centroid() -> None:
    weights = gaussian((50, 40), np.random.default_rng(1))
    original = weights.copy()
    codebook = np.unique(share(weights, 8))
    assert len(codebook) == 8
    nearest = codebook[np.abs(original[..., None] - codebook).argmin(-1)]
    assert np.array_equal(weights, nearest)
    means = [original[weights == centroid].mean() for centroid in codebook]
    assert np.allclose(means, codebook, rtol=0.02)  # Lloyd's fixed point, or close to it
