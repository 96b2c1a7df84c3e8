"""`python -m truewind.cli`: the same as the `truewind` command."""

import sys

from truewind.cli import main

sys.exit(main())
