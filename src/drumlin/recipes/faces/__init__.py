"""Pairs of faces told by models that know none of the people."""
