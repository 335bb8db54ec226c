"""An Asterisk of our own: its configuration, its running instance, the sounds it plays."""
