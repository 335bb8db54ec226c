"""Two machines and a wire: `ringback up` on one (inside.py), all others on the other (outside.py, stranger.py): the
phones of an office, the trunk, and who wants to get in. Each side is a program in a network namespace of its own.
"""
