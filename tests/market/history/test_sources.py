"""What every source of history says of itself, whichever venue it is of. What it brings is held to `contract`."""

import pytest

from truewind.domain.timeframe import timeframe_name, timeframe_us
from truewind.errors import ConfigError
from truewind.market.history.provider import DataProvider, first_with
from truewind.market.history.sources import sources_of, venues
from truewind.storage.schema import KINDS, SeriesKey

NEEDS = {"alpaca": "alpaca", "ib": "ib_async"}


@pytest.fixture(params=venues())
def sources(request: pytest.FixtureRequest) -> list[DataProvider]:
    """The sources of a venue, none of them connected."""
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return sources_of(request.param)


def test_offers_are_of_kinds_and_timeframes_that_the_lake_has(sources: list[DataProvider]) -> None:
    for source in sources:
        assert source.offers
        for offer in source.offers:
            assert bool(offer.timeframes) == KINDS[offer.kind].has_timeframe
            assert [timeframe_name(timeframe_us(name)) for name in offer.timeframes] == list(offer.timeframes)
            for timeframe in offer.timeframes or ("",):
                assert source.offer(SeriesKey(offer.kind, source.venue, "X", timeframe)) == offer


def test_what_is_refused_is_not_offered_and_has_its_reason(sources: list[DataProvider]) -> None:
    for source in sources:
        assert not set(source.refuses) & {offer.kind for offer in source.offers}
        for kind, why in source.refuses.items():
            assert kind in KINDS
            assert why


def test_a_series_that_none_gives_is_refused_with_the_reason_of_each(sources: list[DataProvider]) -> None:
    offered = {offer.kind for source in sources for offer in source.offers}
    kind = next(kind for kind in KINDS if kind not in offered and not KINDS[kind].has_timeframe)
    with pytest.raises(ConfigError) as caught:
        first_with(sources, SeriesKey(kind, sources[0].venue, "X"))
    for source in sources:
        assert f"{source.name}: {source.why_not(SeriesKey(kind, source.venue, 'X'))}" in str(caught.value)
