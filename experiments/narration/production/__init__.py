"""From spoken chunks to a book's files: sound, captions, an EPUB that is read aloud, and the certificate.

Each chunk is mastered by itself (`mastering`), and placed by the pauses (`timeline`), so that another take of
one chunk leaves the sound of all others as it was. `make` writes what `Making` asks for.
"""
