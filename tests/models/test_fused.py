import pytest
import torch
from torch.nn.functional import cross_entropy
from torch_geometric.loader import DataLoader

from scge_pyg import SharedGraph, lower_to_conv
from scge_pyg.graph import joint
from scge_pyg.models import FusedClassifier, SCGEClassifier, accuracy, fit_classifier

GRAPHS = {"image": SharedGraph.from_grid((8, 8)), "sound": SharedGraph.from_grid((16,))}
CHANNELS = {"image": 2, "sound": 1}


def network(seed=0, woken=True, dtype=torch.float32, **options):
    """A model, and unless told otherwise attention that has left its zero."""
    torch.manual_seed(seed)
    model = FusedClassifier(CHANNELS, 3, GRAPHS, **{"channels": (4, 8), "heads": 2, **options}).to(dtype)
    if woken:
        torch.nn.init.normal_(model.out.weight, std=0.3)
    return model


def samples(count=5, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(count, graph.num_nodes, CHANNELS[name], generator=generator, dtype=dtype)
        for name, graph in GRAPHS.items()
    }


@pytest.mark.parametrize("modality", [*GRAPHS, None])
def test_before_training_it_adds_up_what_its_towers_say(modality):
    model = network(woken=False).eval()
    x = {name: part for name, part in samples().items() if modality in (name, None)}
    said = [model.towers[name](part) for name, part in x.items()]
    torch.testing.assert_close(model(x), sum(said))
    towers = model.towers.values()
    assert all(isinstance(tower, SCGEClassifier) for tower in towers)


def test_attention_is_that_of_a_loop_over_nodes():
    model = network(dtype=torch.float64).eval()
    x = samples(2, dtype=torch.float64)
    features = {name: model.towers[name].body(part) for name, part in x.items()}
    place = dict(zip(GRAPHS, model.place.split(model.sizes), strict=True))
    u = {name: model.norm(part) + place[name] for name, part in features.items()}
    logits = 0
    for name, other in (("image", "sound"), ("sound", "image")):
        heard = torch.zeros_like(features[name])
        for sample in range(2):
            for node in range(model.coarse[name].num_nodes):
                query, mixed = model.ask(u[name][sample, node]), []
                key, value = model.offer(u[other][sample]).chunk(2, 1)
                for head in (slice(0, 4), slice(4, 8)):
                    alpha = (key[:, head] @ query[head] / 2).softmax(0)
                    mixed.append(alpha @ value[:, head])
                heard[sample, node] = model.out(torch.cat(mixed))
        logits = logits + model.towers[name].head((features[name] + heard).flatten(1))
    torch.testing.assert_close(model(x), logits)


def test_a_sample_that_lacks_a_modality_is_classified_by_the_rest():
    model = network().eval()
    x = samples()
    holes = {name: part.clone() for name, part in x.items()}
    holes["image"][1] = torch.nan
    holes["sound"][3] = torch.nan
    whole, got = model(x), model(holes)
    torch.testing.assert_close(got[[0, 2, 4]], whole[[0, 2, 4]])
    torch.testing.assert_close(got[1], model.towers["sound"](x["sound"])[1])
    torch.testing.assert_close(got[3], model.towers["image"](x["image"])[3])
    torch.testing.assert_close(got[3], model({"image": x["image"]})[3])
    gone = {**x, "image": torch.full_like(x["image"], torch.nan)}
    torch.testing.assert_close(model(gone), model.towers["sound"](x["sound"]))


def test_loss_is_the_cross_entropy_of_all_and_of_each_alone():
    model = network().eval()
    x, y = samples(), torch.tensor([0, 1, 2, 0, 1])
    alone = [cross_entropy(model.towers[name](part), y) for name, part in x.items()]
    torch.testing.assert_close(model.loss(x, y), cross_entropy(model(x), y) + sum(alone))
    x["sound"][1:3] = torch.nan
    alone[1] = cross_entropy(model.towers["sound"](x["sound"])[[0, 3, 4]], y[[0, 3, 4]])
    torch.testing.assert_close(model.loss(x, y), cross_entropy(model(x), y) + sum(alone))


def test_gradients_are_finite_and_reach_everything_in_spite_of_holes():
    model = network()
    x, y = samples(), torch.tensor([0, 1, 2, 0, 1])
    x["image"][0] = torch.nan
    model.loss(x, y).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        if name != "offer.bias":  # of keys, it shifts all scores of a query alike
            assert parameter.grad.abs().max() > 0, name


def test_batches_of_heterogeneous_data_are_taken_as_they_are():
    model = network().eval()
    x = samples()
    x["image"][2] = torch.nan
    data = [joint(GRAPHS, {name: part[i] for name, part in x.items()}) for i in range(5)]
    batch = next(iter(DataLoader(data, batch_size=5)))
    torch.testing.assert_close(model(batch.x_dict), model(x))
    loop = torch.cat([model({name: part[i] for name, part in x.items()}) for i in range(5)])
    torch.testing.assert_close(model(x), loop)


def test_edges_across_fit_the_coarse_graphs():
    model = network().eval()
    edges = model.across(samples(), k=2)
    (index, weight), alpha = edges["image", "sound"], model._heard(*model._parts(samples()))[1].mean((0, 1))
    own = model.coarse["image"].num_nodes
    expected = (alpha[:own, own:] + alpha[own:, :own].T) / 2
    torch.testing.assert_close(weight, expected[index[0], index[1]])
    assert index[0].unique().numel() == own
    data = joint(model.coarse, across=edges)
    assert data.validate(raise_on_error=True)


def test_towers_on_a_grid_are_lowered():
    model = network().eval()
    x = samples()
    lowered = lower_to_conv(model)
    torch.testing.assert_close(lowered(x), model(x))
    assert any(isinstance(module, torch.nn.Conv2d) for module in lowered.modules())


def test_saved_and_loaded_it_says_the_same():
    model, x = network().eval(), samples()
    twin = network(seed=1).eval()
    twin.load_state_dict(model.state_dict())
    torch.testing.assert_close(twin(x), model(x))


def test_it_learns_what_no_modality_knows_alone():
    generator = torch.Generator().manual_seed(0)
    bits = torch.randint(2, (600, 2), generator=generator)
    x = {name: 0.5 * part for name, part in samples(600).items()}
    x["image"][:, :32, 0] += 2.0 * bits[:, :1] - 1  # the upper half is bright or dark
    x["sound"][:, :, 0] += 2.0 * bits[:, 1:] - 1
    y = bits[:, 0] ^ bits[:, 1]
    train, test = ({name: part[rows] for name, part in x.items()} for rows in (slice(400), slice(400, 600)))
    model = network(woken=False)
    fit_classifier(model, train, y[:400], epochs=8, batch_size=25, lr=2e-2)
    assert accuracy(model, test, y[400:]) > 0.9
    alone = [accuracy(model, {name: part}, y[400:]) for name, part in test.items()]
    assert max(alone) < 0.65


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_modality_with_holes_is_refused(value):
    x = samples()
    x["image"][3, 7, 1] = value
    with pytest.raises(ValueError, match="image of sample 3 has NaN or infinite values at 1 of 64 nodes"):
        network()(x)


def test_arguments_are_by_modality():
    with pytest.raises(TypeError, match=r"in_channels must be a mapping by modality.*got int"):
        FusedClassifier(1, 3, GRAPHS)
    with pytest.raises(TypeError, match=r"graphs must be a mapping by modality.*got list"):
        FusedClassifier(CHANNELS, 3, list(GRAPHS.values()))
    with pytest.raises(TypeError, match=r"graphs\['sound'\] must be a SharedGraph"):
        FusedClassifier(CHANNELS, 3, {**GRAPHS, "sound": torch.zeros(16, 1)})
    with pytest.raises(TypeError, match="joint: graphs must be a mapping from names to graphs, got SharedGraph"):
        joint(GRAPHS["image"])


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"in_channels": None}, TypeError, "in_channels must be a mapping by modality.*got NoneType"),
        ({"in_channels": {"image": 0, "sound": 1}}, ValueError, r"in_channels\['image'\] must be .* at least 1, got 0"),
        ({"in_channels": {"image": "2", "sound": 1}}, TypeError, r"in_channels\['image'\] must be an integer.*'2'"),
        ({"in_channels": {"image": 2, 3: 1}}, ValueError, r"got \['image', 'sound'\] and \['3', 'image'\]"),
        ({"in_channels": {1: 2, 2: 1}, "graphs": {1: GRAPHS["image"], 2: GRAPHS["sound"]}}, TypeError, "got 1 .int."),
        (
            {"in_channels": {"": 2, "b": 1}, "graphs": {"": GRAPHS["image"], "b": GRAPHS["sound"]}},
            ValueError,
            "'' can't name a modality.*rename it",
        ),
        (
            {"in_channels": {"training": 2, "b": 1}, "graphs": {"training": GRAPHS["image"], "b": GRAPHS["sound"]}},
            ValueError,
            "'training' can't name a modality",
        ),
        ({"graphs": {**GRAPHS, "sound": None}}, TypeError, r"graphs\['sound'\] must be a SharedGraph, got NoneType"),
        ({"num_classes": 0}, ValueError, "num_classes must be an integer of at least 1, got 0"),
        ({"num_classes": "3"}, TypeError, "num_classes must be an integer"),
        ({"channels": ()}, TypeError, r"channels must be a sequence of one integer a level.*got \(\)"),
        ({"channels": 8}, TypeError, "channels must be a sequence .*got 8"),
        ({"channels": "ab"}, TypeError, "channels must be a sequence .*got 'ab'"),
        ({"channels": (4, -8)}, ValueError, "channels must be an integer of at least 1, got -8"),
        ({"heads": 0}, ValueError, "heads must be an integer of at least 1, got 0"),
        ({"heads": 2.0}, TypeError, "heads must be an integer of at least 1, got 2.0"),
    ],
)
def test_bad_constructors(changes, error, match):
    arguments = {"in_channels": CHANNELS, "num_classes": 3, "graphs": GRAPHS, "channels": (4, 8), "heads": 2, **changes}
    with pytest.raises(error, match=f"^FusedClassifier: .*{match}"):
        FusedClassifier(**arguments)


MODEL, HEARD = network().eval(), samples()


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: MODEL(None), TypeError, "x must be a mapping from some of .* got NoneType"),
        (lambda: MODEL({}), ValueError, r"x must hold some of the modalities .* got \[\]"),
        (lambda: MODEL({**HEARD, 1: 2}), ValueError, r"got \['1', 'image', 'sound'\]"),
        (
            lambda: MODEL({**HEARD, "image": None}),
            TypeError,
            "image: x must be a tensor of node features, got NoneType",
        ),
        (lambda: MODEL({**HEARD, "image": HEARD["image"][:, :63]}), ValueError, r"image: x must be \[B, 64, 2\]"),
        (
            lambda: MODEL({**HEARD, "image": HEARD["image"][None]}),
            ValueError,
            r"image: x must be .*got \[1, 5, 64, 2\]",
        ),
        (lambda: MODEL.loss(HEARD, None), TypeError, r"loss: y must be an int64 tensor of classes \[5\], got NoneType"),
        (lambda: MODEL.loss(HEARD, torch.zeros(5)), TypeError, "loss: y must be an int64 tensor.*got torch.float32"),
        (lambda: MODEL.loss(HEARD, torch.zeros(4).long()), ValueError, r"loss: y must be \[5\].*got \[4\]"),
        (lambda: MODEL.loss(HEARD, torch.zeros(5, 1).long()), ValueError, r"loss: y must be \[5\].*got \[5, 1\]"),
        (lambda: MODEL.loss(HEARD, torch.arange(5)), ValueError, r"loss: y must lie in 0\.\.2, got 0 to 4"),
        (lambda: MODEL.across(HEARD, k=0), ValueError, "across: k must be an integer of at least 1, got 0"),
        (lambda: MODEL.across(HEARD, k="a"), TypeError, "across: k must be an integer of at least 1, got 'a'"),
    ],
)
def test_bad_samples(call, error, match):
    with pytest.raises(error, match=rf"^FusedClassifier[.:].*{match}"):
        call()


def test_errors_say_what_to_do():
    model, x = network(), samples()
    with pytest.raises(ValueError, match=r"some of the modalities \['image', 'sound'\], got \['text'\]"):
        model({"text": x["image"]})
    with pytest.raises(TypeError, match=r"x must be a mapping from some of the modalities .* got Tensor"):
        model(x["image"])
    with pytest.raises(ValueError, match=r"image: x must be \[B, 64, 2\]"):
        model({"image": x["sound"]})
    with pytest.raises(ValueError, match=r"same number of samples, got \{'image': 5, 'sound': 4\}"):
        model({"image": x["image"], "sound": x["sound"][:4]})
    x["image"][1], x["sound"][1] = torch.nan, torch.nan
    with pytest.raises(ValueError, match=r"samples \[1\] have none"):
        model(x)
    with pytest.raises(ValueError, match="two or more modalities"):
        FusedClassifier({"image": 1}, 2, {"image": GRAPHS["image"]})
    with pytest.raises(ValueError, match="heads must divide the last of channels, 8, got 3"):
        network(heads=3)
    with pytest.raises(ValueError, match="wiring learns the places of one modality"):
        fit_classifier(model, samples(), torch.zeros(5).long(), batch_size=5, wiring=object())
    with pytest.raises(ValueError, match="same number of samples"):
        fit_classifier(model, {**samples(), "image": samples(4)["image"]}, torch.zeros(5).long(), batch_size=4)
