"""The steps that bring a database to the schema in `booking.tables`. `booking migrate` runs them."""
