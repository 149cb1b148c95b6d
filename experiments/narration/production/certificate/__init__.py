"""The certificate of a book: what every chunk is worth, what each ear heard of it, and what it cost."""
