import pytest

from tests.norm.drop_in import PAIRS


@pytest.fixture(params=PAIRS)
def pair(request):
    """Return makers of our link and of Chainer's."""
    ours, stock, limits = PAIRS[request.param]
    return tuple(lambda size=3, cls=cls, **named: cls(size, **limits, **named) for cls in (ours, stock))
