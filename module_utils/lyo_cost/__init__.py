"""What an environment costs a month: resources, prices and assumptions in, lines of cost out."""
