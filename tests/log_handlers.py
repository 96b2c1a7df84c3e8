"""For tests that start logging: leave Python's own logging as it was found."""

import logging

from truewind import log


def remove_all() -> None:
    """Undo `log.setup`."""
    for name in ("truewind", *(f"truewind.{category}" for category in log.CATEGORIES)):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
