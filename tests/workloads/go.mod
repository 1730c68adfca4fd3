module gotuned/workloads

go 1.19
