"""Options that take several values after one name: `--timeframes 1m 5m 1h`, as well as one name for each."""

from typing import Any

import typer


class Lists(typer.core.TyperCommand):
    """A command whose repeatable options take all words up to the next option. It has no arguments of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Write the name before each of the words that follow it."""
        names = {name for option in self.params if getattr(option, "multiple", False) for name in option.opts}
        spread: list[str] = []
        name, fresh = "", False  # the option whose values we read, and whether its name stands there already
        for word in args:
            if word.startswith("-"):
                name, fresh = (word, True) if word in names else ("", False)
                spread.append(word)
                continue
            spread += [word] if fresh or not name else [name, word]
            fresh = False
        return super().parse_args(ctx, spread)
