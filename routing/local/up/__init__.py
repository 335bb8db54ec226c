"""`ringback up`: the parts, who keeps them running, who sees whether they do, and how all of it ends."""
