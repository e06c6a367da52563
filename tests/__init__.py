"""The tests of gitsnap."""
