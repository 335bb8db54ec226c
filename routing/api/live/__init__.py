"""The live stream: what happens, told as it happens to who may know it."""
