"""What the pages show is true: their commands run, their snippets parse, their outputs are real."""
