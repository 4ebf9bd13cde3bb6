"""Charts as static SVG, with a text alternative and a data table behind each."""
