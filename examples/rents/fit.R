# Fits a linear model with a slope for each district. Arguments: rows, model.
given <- commandArgs(TRUE)
rows <- read.csv(given[1])
model <- lm(rent ~ size * district + rooms, data = rows)
print(summary(model)$r.squared)
saveRDS(model, given[2])
