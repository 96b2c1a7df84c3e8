"""Order books: messages and rows of the lake as the events of one book, by the venue's rules and in integers."""
