"""`truewind stress`: a table for people, the same numbers for machines."""


def test_shocks_and_markets_for_machines(run, config):
    """Plain values without NaN, the run as it was first; as many markets as were asked for."""
    done = run("stress", str(config), "--gap", "0.05", "--markets", "2", "--workers", "1", "--json")
    assert done.code == 0, done.err
    names = [row["name"] for row in done.json["stress"]]
    assert names[0] == "as it was"
    assert names[-1] == "gap of 5%"
    backtest = run("backtest", str(config), "--json").json
    assert done.json["stress"][0]["net_return"] == backtest["net_return"]
    assert (done.json["permuted"]["count"], done.json["noise"]["count"]) == (2, 2)
    assert done.json["permuted"]["sharpe"] is not None


def test_shocks_for_people(run, config):
    """A row each, the change beside it; what has no figures stands below with its reason."""
    done = run("stress", str(config))
    assert done.code == 0, done.err
    for word in ("as it was", "costs × 3", "one bar later", "gap of 10%", "max drawdown"):
        assert word in done.out


def test_a_gap_of_more_than_everything_is_refused(run, config):
    assert run("stress", str(config), "--gap", "1.5").code == 2
