"""What is going on, for whoever watches: to stderr, since stdout has the figures."""

import sys


def tell(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)
