import builtins
import hashlib
import io
import os
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from advance_lib.cache import UserError
from advance_lib.data import official_split as official
from advance_lib.data.catalogue import DatasetError, location_of
from advance_lib.data.official_split import fetch_listing, official_split, read_listing
from advance_lib.data.splits import SPLITS

# Class: (scene, locations, siblings of each); the order within a class is not the sorted one.
CLASSES = {0: ("forest", 12, 0), 1: ("sports_land", 9, 2), 2: ("harbour", 90, 1)}


def names_of(scene, locations, siblings, start):
    ids = [f"{start + place:05d}" for place in range(locations)]
    ids += [f"{place}_{sibling}" for sibling in range(1, siblings + 1) for place in ids]
    return [f"{scene}/{ids[i]}" for i in np.random.RandomState(99 + start).permutation(len(ids))]


LISTING = {index: names_of(*CLASSES[index], start=1000 * index) for index in CLASSES}


def write_npy(path, pickled):
    """Write a 0-d object array's header with any pickle behind it."""
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        file.write(pickled)
    return path


@pytest.fixture
def listing(tmp_path):
    path = tmp_path / "av-geotag.npy"
    np.save(path, np.array(LISTING, dtype=object), allow_pickle=True)
    return path


@pytest.fixture
def catalogue():
    """The listed pairs, sorted, with a scene spelt as the dataset spells it."""
    rows = [name.replace("_land", " land").split("/") for names in LISTING.values() for name in names]
    table = pd.DataFrame(rows, columns=["scene", "id"]).sort_values(["scene", "id"], ignore_index=True)
    return table.assign(location=table["id"].map(location_of))


def straight_line(listing):
    """The authors' procedure once more, with numpy's global generator."""
    parts = {"train": [], "validation": [], "test": []}
    for i in range(len(listing)):
        places = {}
        for name in listing[i]:
            places.setdefault(name.split("/")[1][:5], []).append(name)
        ids = list(places)
        np.random.seed(i)
        np.random.shuffle(ids)
        train, validation = int(np.floor(len(ids) * 0.7)), int(np.floor(len(ids) * 0.1))
        for part, some in zip(
            parts, (ids[:train], ids[train : train + validation], ids[train + validation :]), strict=True
        ):
            parts[part] += [name for place in some for name in places[place]]
    return {name: part for part, names in parts.items() for name in names}


def test_sizes_by_the_floor_rule(catalogue, listing):
    split = official_split(catalogue, listing)
    assert split.name == "split" and split.index.equals(catalogue.index)
    counts = {
        scene: tuple((split[group.index] == s).sum() for s in SPLITS) for scene, group in catalogue.groupby("scene")
    }
    # 8 + 1 + 3 locations of one pair; 6 + 0 + 3 of three; 62 (in floating point) + 9 + 19 of two
    assert counts == {"forest": (8, 1, 3), "sports land": (18, 0, 9), "harbour": (124, 18, 38)}


def test_same_as_a_straight_line_of_it(catalogue, listing):
    names = catalogue["scene"].str.replace(" ", "_") + "/" + catalogue["id"]
    state = np.random.get_state()
    try:
        expected = names.map(straight_line(LISTING))
    finally:
        np.random.set_state(state)
    assert official_split(catalogue, listing).tolist() == expected.tolist()


def test_numpy_s_global_state_stays(catalogue, listing):
    np.random.seed(1234)  # a state that no split leaves behind
    before = np.random.get_state()
    official_split(catalogue, listing)
    after = np.random.get_state()
    assert np.array_equal(before[1], after[1]) and before[2:] == after[2:]


def test_no_location_is_shared(catalogue, listing):
    together = catalogue.assign(split=official_split(catalogue, listing)).groupby("location")["split"].nunique()
    assert together.max() == 1


def test_rows_in_any_order(catalogue, listing):
    shuffled = catalogue.sample(frac=1, random_state=0)
    split = official_split(shuffled, listing)
    assert split.index.equals(shuffled.index)
    assert split.reindex(catalogue.index).equals(official_split(catalogue, listing))


@pytest.mark.parametrize("spelling", ["Sports Land", "SPORTS_LAND", "sports-land", "sportsland"])
def test_spellings_of_a_scene(catalogue, listing, spelling):
    other = catalogue.assign(scene=catalogue["scene"].replace("sports land", spelling))
    assert official_split(other, listing).equals(official_split(catalogue, listing))


def test_pairs_that_are_not_listed(catalogue, listing):
    other = catalogue.assign(scene=catalogue["scene"].replace("forest", "wood"))
    with pytest.raises(DatasetError, match=r"12 of 219 pairs .*: wood/00000, .*wood/00005, …; .*for ADVANCE itself"):
        official_split(other, listing)


def test_listed_pairs_that_are_not_there(catalogue, listing):
    with pytest.warns(UserWarning, match="^5 of the 219 pairs"):
        some = official_split(catalogue[5:], listing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert some.equals(official_split(catalogue, listing)[5:])


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_pickles_of_every_protocol(tmp_path, protocol, module):
    array = np.array({1: ["lake/00001"], 0: ["ice/00002", "ice/00002_1"]}, dtype=object)
    name = b"numpy._core.multiarray"
    pickled = pickle.dumps(array, protocol)
    assert name in pickled
    if protocol < 4:
        pickled = pickled.replace(name, module)
    else:  # these count the letters of the name and of the whole
        pickled = pickled.replace(bytes([len(name)]) + name, bytes([len(module)]) + module)
        pickled = pickled[:3] + (len(pickled) - 11).to_bytes(8, "little") + pickled[11:]
    read = read_listing(write_npy(tmp_path / "list.npy", pickled))
    assert list(read.items()) == [(0, ["ice/00002", "ice/00002_1"]), (1, ["lake/00001"])]


def test_a_pickle_of_python_2(tmp_path):
    pickled = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
        b"(K\x01)cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb\x89"
        b"]}K\x00]U\x0alake/00001asatb."
    )
    path = write_npy(tmp_path / "list.npy", pickled)
    assert np.load(path, allow_pickle=True, encoding="latin1").item() == {0: ["lake/00001"]}
    assert read_listing(path) == {0: ["lake/00001"]}


class Call:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("function", [os.system, builtins.eval])
def test_nothing_runs(tmp_path, protocol, inside, function):
    mark = tmp_path / "ran"
    call = Call(function, f"echo > '{mark}'" if function is os.system else f"open({str(mark)!r}, 'w').close()")
    pickled = pickle.dumps(np.array({0: ["lake/1", call]}, dtype=object) if inside else call, protocol)
    with pytest.raises(
        UserError, match=rf"list\.npy: .*asks for '\w+\.{function.__name__}'.*; fetch it again from http"
    ):
        read_listing(write_npy(tmp_path / "list.npy", pickled))
    assert not mark.exists()
    pickle.loads(pickled)
    assert mark.exists()  # so the file was dangerous


def test_admitted_names_do_nothing():
    """Not even with arguments that numpy refuses, or that would take a petabyte."""
    for call in (Call(np.dtype, "nonsense"), Call(np.ndarray, (10**15,))):
        loaded = official._Unpickler(io.BytesIO(pickle.dumps(call))).load()
        assert isinstance(loaded, official._Inert)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (["lake/1"], "no dictionary"),
        ({1: ["lake/1"]}, "no dictionary with the keys 0"),
        ({"lake": ["lake/1"]}, "no dictionary with the keys 0"),
        ({0: ("lake/1",)}, "class 0 has a tuple"),
        ({0: ["lake/1"], 1: ["lake"]}, "class 1 has 'lake'"),
        ({0: ["a/lake/1"]}, "class 0 has 'a/lake/1'"),
        ({0: [7]}, "class 0 has '7'"),
        ({0: ["lake/1"], 1: ["Lake/1"]}, "names 'Lake/1' twice"),
    ],
)
def test_another_structure(tmp_path, content, found):
    path, array = tmp_path / "list.npy", np.empty((), dtype=object)
    array[()] = content
    np.save(path, array)
    with pytest.raises(UserError, match=f"list.npy: .*{found}.*; fetch it again from http"):
        read_listing(path)


def test_other_files(tmp_path, listing):
    path = tmp_path / "other.npy"
    with pytest.raises(UserError, match=r"other\.npy: .*No such file.*; fetch it again"):
        read_listing(path)
    path.write_text("<html>404</html>")
    with pytest.raises(UserError, match=r"other\.npy: .*magic"):
        read_listing(path)
    np.save(path, np.zeros(3))
    with pytest.raises(UserError, match=r"array of float64 with shape \(3,\)"):
        read_listing(path)
    write_npy(path, pickle.dumps(LISTING))
    with pytest.raises(UserError, match="no array of one object"):
        read_listing(path)
    path.write_bytes(listing.read_bytes()[:500])
    with pytest.raises(UserError, match=r"other\.npy: .*; fetch it again"):
        read_listing(path)


@pytest.fixture
def server(web, listing, monkeypatch):
    """Serves the listing; holds the paths that it was asked for."""
    address, asked = web("/av-geotag.npy", listing.read_bytes())
    monkeypatch.setattr(official, "LISTING_URL", address)
    monkeypatch.setattr(official, "LISTING_SHA256", hashlib.sha256(listing.read_bytes()).hexdigest())
    return asked


def test_fetched_once(server, build, catalogue, listing):
    assert fetch_listing() == build / "downloads" / "av-geotag.npy"
    assert fetch_listing().read_bytes() == listing.read_bytes()
    assert official_split(catalogue).equals(official_split(catalogue, str(listing)))
    assert server == ["/av-geotag.npy"]


def test_another_checksum(server, build, monkeypatch):
    monkeypatch.setattr(official, "LISTING_SHA256", "0" * 64)
    with pytest.raises(UserError, match=r"^http://127.*av-geotag\.npy: .*another checksum; .*download it by hand"):
        fetch_listing()
    assert not (build / "downloads" / "av-geotag.npy").exists()


def test_no_such_address(server, build, monkeypatch):
    monkeypatch.setattr(official, "LISTING_URL", official.LISTING_URL.replace("geotag", "other"))
    with pytest.raises(UserError, match=r"^http://127.*av-other\.npy: .*404.*, or download it by hand"):
        fetch_listing()
    assert not (build / "downloads" / "av-geotag.npy").exists()
