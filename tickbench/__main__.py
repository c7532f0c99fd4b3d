# SPDX-License-Identifier: GPL-2.0-or-later
"""`python3 -m tickbench`: hands over to the command line in cli.py and assumes nothing."""

import sys

from tickbench.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
