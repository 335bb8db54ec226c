"""A machine of the first version whose databases are upgraded, with people at every point of the path, is upgraded to
this version while they stay on the line."""
