"""The soak: an hour of mixed load on a whole Ringback, real parts throughout, and what must not grow meanwhile.

`python -m tests.soak [--minutes N]` (`make soak`). It ends with 1 when something grew, got stuck, was refused with
a 5xx, or when it exercised too little to say anything.
"""
