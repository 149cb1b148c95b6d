"""Narration: from a book's file to chunks that can be spoken. Nothing here needs a model.

`reading` makes a `Book` of a file, `text_file` writes what will be spoken to a file that can be edited and
read again, `chunks` packs sentences to the length that a model reads best, and `account` answers for every
word.
"""
