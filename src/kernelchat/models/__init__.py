"""Models: what produces the tokens of an answer."""
