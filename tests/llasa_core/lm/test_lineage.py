import numpy as np

from llasa_core.lm.lineage import branched, row_key, uniforms


def test_stream_is_splitmix64():
    # Outputs of the reference implementation seeded with 1234567 (Rosetta Code).
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    drawn = uniforms(np.array([1234567], dtype=np.uint64), 0, 5)
    np.testing.assert_array_equal(drawn[0], [(value >> 11) / 2**53 for value in expected])


def test_position_decides_and_not_the_chunk():
    keys = np.array([row_key(0, "a", ()), row_key(0, "a", ((0, 1),))], dtype=np.uint64)
    whole = uniforms(keys, 0, 50)
    np.testing.assert_array_equal(whole[:, 20:35], uniforms(keys, 20, 15))
    np.testing.assert_array_equal(uniforms(keys, [3, 40], 2), [whole[0, 3:5], whole[1, 40:42]])


def test_uniform_and_uncorrelated_between_rows():
    keys = np.array([row_key(0, "a", branched((), 0, branch)) for branch in range(64)], dtype=np.uint64)
    drawn = uniforms(keys, 0, 1000)
    assert drawn.min() >= 0 and drawn.max() < 1
    counts, _ = np.histogram(drawn, bins=20, range=(0, 1))
    chi_square = float(((counts - 3200) ** 2 / 3200).sum())
    assert chi_square < 43.8  # 0.1 % point of 19 degrees of freedom
    correlation = np.corrcoef(drawn) - np.eye(64)
    assert np.abs(correlation).max() < 0.17


def test_keys_differ_and_do_not_run_into_each_other():
    lineages = [(), ((0, 1),), ((1, 0),), ((0, 11),), ((0, 1), (1, 1))]
    keys = {
        row_key(seed, name, line)
        for seed in (0, 1, 10)
        for name in ("", "0", "1", "0;0,1")
        for line in lineages
    }
    assert len(keys) == 3 * 4 * 5
    assert row_key(7, "x", ((25, 3),)) == row_key(7, "x", ((25, 3),))


def test_branch_zero_is_the_row_itself():
    assert branched(((0, 2),), 25, 0) == ((0, 2),)
    assert branched(((0, 2),), 25, 3) == ((0, 2), (25, 3))
