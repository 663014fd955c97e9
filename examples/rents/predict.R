# Answers for the model beside it. Arguments: rows, answer.
given <- commandArgs(TRUE)
answer <- predict(readRDS("model.rds"), read.csv(given[1]))
write.csv(data.frame(prediction = answer), given[2], row.names = FALSE)
