"""How ready a loop is for years with nobody watching: levels of maturity, and the ML Test Score, from facts."""
