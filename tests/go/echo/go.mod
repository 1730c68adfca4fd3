module gotuned/echo

go 1.17
