"""How fast a visitor's whole turn is, beside the same bot on Rasa's default pipeline and beside a Rasa that does nothing: `make bench`."""
