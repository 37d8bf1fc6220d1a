"""Reports: one page that shows what records say, and the evidence behind it."""
