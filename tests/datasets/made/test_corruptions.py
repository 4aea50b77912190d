"""Made corruptions: each against its definition computed otherwise, and what all of them must keep."""

import colorsys
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_sample_images

from harness.datasets import CONDITIONS, DATASETS, DataFolder, ImageSet, Library, Normalisation, made
from harness.datasets.cifar_corrupted import CORRUPTIONS as RELEASED
from harness.datasets.made import blur, digital
from harness.datasets.made.weather import plasma

NORM = Normalisation((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
NAMES = tuple(made.CORRUPTIONS)
# As their definition has it, glass_blur and elastic_transform trade one of their constants for another.
STRONGER = [name for name in NAMES if name not in ("glass_blur", "elastic_transform")]


@pytest.fixture(scope="module")
def photos():
    """Forty patches of 32x32 pixels of the two photographs that scikit-learn carries, uint8 (n, 32, 32, 3)."""
    small = [photo[::4, ::4] for photo in load_sample_images().images]
    patches = [image[r : r + 32, c : c + 32] for image in small for r in (0, 40) for c in range(0, 128, 13)]
    return np.ascontiguousarray(patches)


def difference(a, b):
    return np.abs(a.astype(float) - b.astype(float))


def constants(name, severity):
    return made.CORRUPTIONS[name].constants[severity - 1]


def test_they_are_all_of_the_released_ones_that_need_no_photographs():
    assert set(NAMES) == set(RELEASED) - {"frost"}
    for name in NAMES:
        condition = CONDITIONS[f"made_{name}"]
        assert condition.severities == (1, 2, 3, 4, 5)
        assert all(map(condition.serves, DATASETS))
        assert len(made.CORRUPTIONS[name].constants) == 5


@pytest.mark.parametrize("name", NAMES)
def test_every_severity_is_bytes_of_the_same_shape_and_the_same_again(photos, name):
    before = photos.copy()
    for severity in made.SEVERITIES:
        images = made.corrupted(name, photos, severity)
        assert (images.dtype, images.shape) == (np.uint8, photos.shape)
        assert np.array_equal(images, made.corrupted(name, photos, severity))
        assert 0 < difference(images, photos).mean() < 80
    assert np.array_equal(photos, before)


@pytest.mark.parametrize("name", STRONGER)
def test_higher_severities_are_further_from_the_images(photos, name):
    distances = [difference(made.corrupted(name, photos, severity), photos).mean() for severity in made.SEVERITIES]
    assert distances == sorted(distances)
    assert distances[-1] > 1.4 * distances[0]


def test_no_two_corruptions_or_severities_draw_the_same_numbers(photos):
    grey = np.full_like(photos, 128)
    noise = [made.corrupted("gaussian_noise", grey, severity) / 1.0 - 128 for severity in (1, 2)]
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(noise[0][0].ravel(), noise[0][1].ravel())[0, 1]) < 0.1, "images share no noise"


def test_a_condition_shows_them_with_the_labels_of_the_test_images(photos):
    images = torch.from_numpy(photos.transpose(0, 3, 1, 2).copy())
    test = ImageSet("cifar10/test", images, torch.arange(40) % 10, 10, NORM)
    shown = CONDITIONS["made_fog"].make(test, 3, DataFolder(None))
    assert shown.name == "cifar10/test/made_fog 3"
    assert shown.labels is not None
    assert torch.equal(shown.labels, test.labels)
    assert np.array_equal(shown.images.permute(0, 2, 3, 1).numpy(), made.corrupted("fog", photos, 3))


@pytest.mark.parametrize("name", NAMES)
def test_images_of_other_sizes_and_all_of_one_value_can_be_corrupted(name):
    digits = Library().load("digits", "test").images[:3].permute(0, 2, 3, 1).numpy()
    for pixels in (digits, np.zeros((2, 16, 16, 3), np.uint8), np.full((2, 32, 32, 3), 255, np.uint8)):
        assert made.corrupted(name, pixels, 5).shape == pixels.shape


def test_images_are_corrupted_in_chunks_without_a_seam(photos):
    many = np.concatenate([photos] * 13)  # 520 images, 20 of them in a second chunk
    for name in ("contrast", "pixelate", "defocus_blur"):  # nothing drawn
        whole = made.corrupted(name, many, 4)
        assert np.array_equal(whole, np.concatenate([made.corrupted(name, photos, 4)] * 13))
    noisy = made.corrupted("gaussian_noise", many, 1)
    assert len(np.unique(noisy.reshape(520, -1), axis=0)) == 520


@pytest.mark.parametrize("severity", made.SEVERITIES)
def test_gaussian_noise_has_its_deviation(severity):
    grey = np.full((100, 32, 32, 3), 128, np.uint8)
    noise = made.corrupted("gaussian_noise", grey, severity) / 255 - 128 / 255
    (std,) = constants("gaussian_noise", severity)
    assert noise.mean() == pytest.approx(0, abs=4 * std / math.sqrt(noise.size))
    assert noise.std() == pytest.approx(math.hypot(std, 1 / (255 * math.sqrt(12))), rel=0.01)


@pytest.mark.parametrize("severity", made.SEVERITIES)
def test_shot_noise_has_the_deviation_of_counted_photons(severity):
    (photons,) = constants("shot_noise", severity)
    for value in (32, 128):
        noise = made.corrupted("shot_noise", np.full((100, 32, 32, 3), value, np.uint8), severity) / 255
        assert noise.mean() == pytest.approx(value / 255, abs=0.5 / 255)
        assert noise.std() == pytest.approx(math.sqrt(value / 255 / photons), rel=0.02)
    assert not made.corrupted("shot_noise", np.zeros((2, 8, 8, 3), np.uint8), severity).any(), "black stays black"


@pytest.mark.parametrize("severity", made.SEVERITIES)
def test_impulse_noise_makes_a_share_of_values_black_or_white(severity):
    images = made.corrupted("impulse_noise", np.full((100, 32, 32, 3), 128, np.uint8), severity)
    (share,) = constants("impulse_noise", severity)
    error = 4 * math.sqrt(share / images.size)
    assert set(np.unique(images)) == {0, 128, 255}
    assert (images == 0).mean() == pytest.approx(share / 2, abs=error)
    assert (images == 255).mean() == pytest.approx(share / 2, abs=error)


@pytest.mark.parametrize("severity", made.SEVERITIES)
def test_brightness_adds_to_the_value_of_each_colour(photos, severity):
    (added,) = constants("brightness", severity)
    pixels = photos[::9, ::5, ::5].reshape(-1, 1, 1, 3)
    images = made.corrupted("brightness", np.concatenate([pixels, np.zeros((1, 1, 1, 3), np.uint8)]), severity)
    for before, after in zip(pixels.reshape(-1, 3), images.reshape(-1, 3), strict=False):
        hue, saturation, value = colorsys.rgb_to_hsv(*(before / 255))
        expected = 255 * np.array(colorsys.hsv_to_rgb(hue, saturation, min(1, value + added)))
        assert difference(after, expected).max() <= 0.5 + 1e-6
    assert images[-1].ravel().tolist() == [round(255 * added)] * 3, "black becomes grey"


@pytest.mark.parametrize("severity", made.SEVERITIES)
def test_contrast_keeps_the_mean_and_a_share_of_the_rest(photos, severity):
    (kept,) = constants("contrast", severity)
    expected = kept * (photos - photos.mean((1, 2), keepdims=True)) + photos.mean((1, 2), keepdims=True)
    assert difference(made.corrupted("contrast", photos, severity), expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("severity", made.SEVERITIES)
def test_pixelate_and_jpeg_are_what_pillow_makes(photos, severity):
    (scale,), (quality,) = constants("pixelate", severity), constants("jpeg_compression", severity)
    pixelated, compressed = (made.corrupted(name, photos, severity) for name in ("pixelate", "jpeg_compression"))
    for i, pixels in enumerate(photos[:5]):
        image, file = Image.fromarray(pixels), io.BytesIO()
        small = image.resize((int(32 * scale), int(32 * scale)), Image.Resampling.BOX)
        assert np.array_equal(pixelated[i], np.asarray(small.resize((32, 32), Image.Resampling.BOX)))
        image.save(file, "JPEG", quality=quality)
        assert np.array_equal(compressed[i], np.asarray(Image.open(file)))


def clipped_zoom(image, factor):
    """The middle of one image, enlarged by scipy."""
    size = len(image)
    n_middle = math.ceil(size / factor)
    start = (size - n_middle) // 2
    zoomed = ndimage.zoom(image[start:, start:][:n_middle, :n_middle], (factor, factor, 1), order=1)
    start = (len(zoomed) - size) // 2
    return zoomed[start:, start:][:size, :size]


@pytest.mark.parametrize("severity", made.SEVERITIES)
def test_zoom_blur_is_the_mean_of_enlarged_images(photos, severity):
    (end,) = constants("zoom_blur", severity)
    images = made.corrupted("zoom_blur", photos, severity)
    for i in (0, 25):
        zoomed = [clipped_zoom(photos[i] / 255, factor) for factor in np.arange(1, end, 0.01)]
        assert difference(images[i], 255 * (photos[i] / 255 + sum(zoomed)) / (len(zoomed) + 1)).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("severity", made.SEVERITIES)
def test_defocus_blur_of_a_point_is_a_smoothed_disc(severity):
    """The disc on a grid as the definition takes it, 17x17, smoothed by three Gaussian weights each way."""
    point = np.zeros((1, 17, 17, 3), np.uint8)
    point[0, 8, 8] = 255
    radius, smoothing = constants("defocus_blur", severity)
    y, x = np.mgrid[-8:9, -8:9]
    disc = (x**2 + y**2 <= radius**2) / np.sum(x**2 + y**2 <= radius**2)
    sides = math.exp(-1 / (2 * smoothing**2))
    line = np.array([sides, 1, sides]) / (1 + 2 * sides)
    expected = ndimage.convolve1d(ndimage.convolve1d(disc, line, axis=0), line, axis=1)
    assert difference(made.corrupted("defocus_blur", point, severity)[0, :, :, 1], 255 * expected).max() <= 0.5 + 1e-6


def test_glass_blur_takes_pixels_from_nearby():
    """Of an image whose pixels are all of other colours, without blur: each comes from within the reach of a round."""
    y, x = np.mgrid[:32, :32]
    places = np.stack([8 * y, 8 * x, np.zeros_like(x)], axis=-1)[None].astype(np.uint8)
    images = blur.glass_blur(places / 255, np.random.RandomState(0), 0.0, 1, 1) * 255
    moved = np.rint(images[0, :, :, :2] / 8) - np.stack([y, x], axis=-1)
    assert set(np.unique(moved)) == {-1.0, 0.0}
    assert (moved != 0).any(axis=-1)[2:, 2:].mean() == pytest.approx(0.75, abs=0.05)
    assert not moved[:2].any(), "rows above the reach stay"


@pytest.mark.parametrize(("angle", "step"), [(0, (0, 1)), (90, (1, 0)), (-90, (-1, 0)), (45, None)])
def test_streaks_of_a_point(angle, step):
    """Half a Gaussian, normalised, from each pixel onwards: a point smears backwards."""
    point = np.zeros((1, 15, 15, 1))
    point[0, 7, 7] = 1
    found = blur.streaked(point, np.array([float(angle)]), 2, 1.5)[0, :, :, 0]
    weights = np.exp(-(np.arange(5) ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    assert found.sum() == pytest.approx(1)
    steps = [step] * 5 if step else [(round(i * math.sqrt(0.5)) / max(i, 1),) * 2 for i in range(5)]
    for i, (weight, (down, right)) in enumerate(zip(weights, steps, strict=True)):
        assert found[7 - round(i * down), 7 - round(i * right)] >= weight - 1e-12


def test_motion_blur_leaves_what_has_no_structure(photos):
    flat = np.full_like(photos, 77)
    assert np.array_equal(made.corrupted("motion_blur", flat, 5), flat)
    stripes = np.zeros((20, 32, 32, 3), np.uint8)
    stripes[:, ::2] = 255  # across the motion, which is within 45 degrees of the horizontal
    lying, standing = (made.corrupted("motion_blur", image, 5).std() for image in (stripes, stripes.swapaxes(1, 2)))
    assert lying > 1.3 * standing


def diamond_square(size, decay, rng):
    """Heights, place by place; the random numbers are drawn square by square and then side by side."""
    heights, step, roughness = np.zeros((size, size)), size, 100.0

    def put(places, neighbours):
        drawn = roughness * rng.uniform(-roughness, roughness, size=(1, size // step, size // step))[0]
        means = [sum(heights[(r + a) % size, (c + b) % size] for a, b in neighbours) / 4 for r, c in places]
        for (r, c), mean, moved in zip(places, means, drawn.ravel(), strict=True):
            heights[r, c] = mean + moved

    while step >= 2:
        half = step // 2
        starts = range(0, size, step)
        across, corners = (
            ((-half, 0), (half, 0), (0, -half), (0, half)),
            [(a, b) for a in (-half, half) for b in (-half, half)],
        )
        put([(r + half, c + half) for r in starts for c in starts], corners)
        put([(r, c + half) for r in starts for c in starts], across)
        put([(r + half, c) for r in starts for c in starts], across)
        step, roughness = half, roughness / decay
    heights -= heights.min()
    return heights / heights.max()


@pytest.mark.parametrize("decay", [1.75, 3.0])
def test_clouds_are_those_of_diamonds_and_squares(decay):
    clouds = plasma(np.random.RandomState(3), 1, 16, decay)
    assert clouds[0] == pytest.approx(diamond_square(16, decay, np.random.RandomState(3)))


@pytest.mark.parametrize("severity", made.SEVERITIES)
def test_fog_brightens_and_keeps_the_largest_value(photos, severity):
    density, _ = constants("fog", severity)
    images = made.corrupted("fog", photos, severity).astype(float)
    brightest = photos.max((1, 2, 3))
    assert (images.max((1, 2, 3)) <= brightest + 0.5).all()
    least = photos * (brightest / (brightest + 255 * density))[:, None, None, None]
    assert (images >= least - 0.5 - 1e-6).all(), "no less than the darkened image"


def test_snow_falls_on_an_image_and_its_turned_streaks(photos):
    black = np.zeros((50, 32, 32, 3), np.uint8)
    for severity in made.SEVERITIES:
        images = made.corrupted("snow", black, severity).astype(float)
        kept = constants("snow", severity)[-1]
        assert images.min() >= 255 * (1 - kept) * 0.5 - 0.5
        assert np.array_equal(images, images[:, ::-1, ::-1]), "on black the flakes alone are seen"
        assert np.array_equal(images[..., 0], images[..., 2])


@pytest.mark.parametrize("severity", made.SEVERITIES)
def test_elastic_transform_moves_places_by_no_more_than_its_maps(severity):
    """Of an image whose colour says the place, what is seen in the middle comes from nearby; a flat one stays."""
    y, x = np.mgrid[:32, :32]
    places = np.stack([8 * y, 8 * x, 100 + 0 * x], axis=-1)[None].repeat(50, axis=0).astype(np.uint8)
    images = made.corrupted("elastic_transform", places, severity).astype(float)
    assert np.ptp(images[..., 2]) == 0
    moved = images[:, 10:22, 10:22, :2] / 8 - np.stack([y, x], axis=-1)[10:22, 10:22]
    stretch, _, shear = constants("elastic_transform", severity)
    # Within the triangle of the three points the affine map moves by no more than they are; the rest lies a little off.
    assert np.abs(moved).max() <= 32 * (2.5 * shear + stretch) + 0.1
    assert np.abs(moved).mean() > 0.2


def test_elastic_transform_of_an_image_is_what_scipy_samples(photos):
    """The affine map of a fixed move, against scipy's; both interpolate linearly and mirror at the edge."""
    moves = np.random.RandomState(1).uniform(-2, 2, size=(3, 3, 2))
    found = digital._affine(photos[:3] / 255, moves)
    points = np.array([[26.0, 26.0], [26.0, 6.0], [6.0, 6.0]])
    for i in range(3):
        source = np.column_stack([points + moves[i], np.ones(3)])
        back = np.linalg.solve(source, points).T  # 2x3, from places of the result to those of the image, as (x, y)
        y, x = np.mgrid[:32, :32].astype(float)
        columns, rows = (back[k, 0] * x + back[k, 1] * y + back[k, 2] for k in (0, 1))
        expected = np.stack(
            [
                ndimage.map_coordinates(photos[i, ..., c] / 255, [rows, columns], order=1, mode="mirror")
                for c in range(3)
            ],
            axis=-1,
        )
        assert found[i] == pytest.approx(expected, abs=1e-9)
