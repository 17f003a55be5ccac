from __future__ import annotations

import pytest
from stages.storage import check_places, join, local_copy, local_result, put_json, read_json, sha256, storage


@pytest.fixture(params=["folder", "object store"])
def place(request, tmp_path):
    return str(tmp_path / "work") if request.param == "folder" else f"memory://{tmp_path.name}/work"


def test_what_is_written_into_a_local_result_is_found_in_a_local_copy(place):
    with local_result(f"{place}/juice") as here:
        (here / "0001.png").write_bytes(b"orange")

    assert storage(f"{place}/juice/0001.png").read_bytes() == b"orange"
    with local_copy(f"{place}/juice") as here:
        assert [(path.name, path.read_bytes()) for path in here.iterdir()] == [("0001.png", b"orange")]


def test_a_folder_that_is_not_there_is_an_empty_copy(place):
    with local_copy(f"{place}/nobody") as here:
        assert not here.exists() or list(here.iterdir()) == []


def test_half_a_json_file_and_none_are_the_same(place):
    assert read_json(f"{place}/x.json") is None
    put_json(place, "x.json", {"a": 1})
    assert read_json(f"{place}/x.json") == {"a": 1}
    storage(f"{place}/x.json").write_text('{"a"')
    assert read_json(f"{place}/x.json") is None


def test_the_hash_is_that_of_the_content(place):
    put_json(place, "x.json", {})
    assert sha256(f"{place}/x.json") == "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"


def test_parts_are_joined_to_paths_and_urls_alike():
    assert join("s3://bucket/a/", "b", "c") == "s3://bucket/a/b/c"


def test_places_that_can_be_written_are_left_as_they_were(place):
    check_places({"destination": f"{place}/out", "work": f"{place}/out"})

    assert [path for path in storage(place).rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("wrong", ["", "deliveries", " /srv/deliveries", "~/deliveries"])
def test_a_place_that_each_worker_would_find_elsewhere_is_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"^`destination` is '.*': write a whole path"):
        check_places({"destination": wrong, "work": str(tmp_path)})


@pytest.mark.parametrize("wrong", ["/file/work", "/file", "s3://no_such_connection@x/work", "gopher://x/work"])
def test_a_place_that_cannot_be_written_is_refused_by_its_name(tmp_path, wrong):
    (tmp_path / "file").touch()
    place = wrong if "://" in wrong else f"{tmp_path}{wrong}"

    with pytest.raises(ValueError, match=f"^Nothing can be written to `work`, {place}: "):
        check_places({"destination": str(tmp_path), "work": place})
