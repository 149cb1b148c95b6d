"""Speaking a book: each chunk is searched, ever wider, until two ears find no word wrong and no measurement
anything amiss."""
