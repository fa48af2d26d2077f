"""The operator's desk: what is set at run time over the configuration, what is done to lines, and what is seen."""
