import gc

import pytest

from dcz.core.garbage import uncollected


def fail_without_collection() -> None:
    with uncollected():
        assert not gc.isenabled()
        raise ZeroDivisionError


def test_collection_goes_on_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        fail_without_collection()
    assert gc.isenabled()


def test_a_caller_that_collects_nothing_stays_so() -> None:
    gc.disable()
    try:
        with uncollected(for_good=True):
            pass
        assert not gc.isenabled()
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()
        gc.enable()
