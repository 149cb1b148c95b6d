"""The nano recipe's corpus: voices, texts, alignments, and the training documents made of them."""
