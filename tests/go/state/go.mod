module gotuned/state

go 1.15
