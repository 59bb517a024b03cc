"""The demo's scenario `orders`: a shop commits orders with their events, a reader that is not ours
shows them arrive.

`stage` sets everything up and takes it down, `shop` writes, `arrivals` reads, `screen` shows,
`__main__` tells the story. The verdict and the reader are those of the tests (tests/support).
"""
