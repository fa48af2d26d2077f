"""A whole sale, from the crowd to the tickets: who takes part in it, what each of them writes down, and the auditor who
compares their books."""
