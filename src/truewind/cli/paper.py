"""`truewind paper` and `truewind audit`: trade on paper on what comes in now, and prove the session afterwards."""

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from truewind.cli.options import Config, For, Json, Network, Run, Set
from truewind.cli.progress import progress

if TYPE_CHECKING:
    from truewind.live.audit import Audit


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: truewind paper configs/paper.yaml --network http://127.0.0.1:9100 --for 1h")(paper)
    app.command(epilog="Example: truewind audit latest")(audit)


def paper(
    config: Config,
    assignments: Set = None,
    network: Network = None,
    length: For = None,
    patience_ms: Annotated[
        float, typer.Option(min=0.0, help="How long to wait for a symbol that lags behind the others.")
    ] = 2000.0,
    json: Json = False,
) -> None:
    """Trade on paper: the backtest's engine on live streams.

    Orders fill on the simulated venue, by the same strategy, costs and limits. The session, whose length is in the
    market's time, is journaled, and `truewind audit` runs it again as a backtest.
    """
    from truewind.cli import settings
    from truewind.cli.backtest import show
    from truewind.domain.timeframe import timeframe_us
    from truewind.live.paper import run_session
    from truewind.live.session import open_session
    from truewind.storage.trials import open_ledger

    program = settings.load()
    ledger = open_ledger(program.database)
    with progress(compiles=True) as step:
        step("waiting for the first rows", 0, 0)
        job = open_session(
            config,
            assignments or [],
            network=network or program.network,
            lake=program.lake,
            length_us=None if length is None else timeframe_us(length),
            patience_us=round(patience_ms * 1000),
            state=program.state,
        )
        before = signal.signal(signal.SIGINT, lambda *_: job.feed.close())  # what was heard is still acted on
        try:
            result = run_session(job, program.runs, step, ledger)
        finally:
            signal.signal(signal.SIGINT, before)
    show(result, json)


def audit(
    run: Run,
    json: Json = False,
) -> None:
    """Run a paper session again as a backtest.

    Orders and fills must be the same, byte for byte. Exit code 6 if they are not.
    """
    from truewind.backtest.folder import find_run
    from truewind.cli import settings
    from truewind.cli.failures import FAILED_CHECK
    from truewind.live.audit import audit as held_against

    found = held_against(find_run(settings.load().runs, run))
    _show(found, json)
    if not found.equal:
        raise typer.Exit(FAILED_CHECK)


def _show(found: "Audit", json: bool) -> None:
    import msgspec

    from truewind.cli.output import print_json, print_table

    if json:
        compared = [msgspec.to_builtins(one) for one in found.compared]
        print_json(
            {
                "equal": found.equal,
                "rows": found.rows,
                "whole": found.whole,
                "compared": compared,
                "backtest": found.backtest.run_dir,
            }
        )
        return
    print_table(
        ["", ">session", ">backtest", ""],
        [
            (one.what, one.session, one.backtest, "equal" if one.differs is None else f"differ from {one.differs} on")
            for one in found.compared
        ],
    )
    print(f"{found.rows} rows were heard" + ("" if found.whole else ", before the session was killed"))
