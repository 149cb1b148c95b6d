"""The decoding engine: a Llasa language model over many sequences at once."""
