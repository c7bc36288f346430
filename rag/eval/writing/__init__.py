"""Documents to question sets: what they state is asked, with the exact place of every answer."""
