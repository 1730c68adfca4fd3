//go:build cgo
// +build cgo

package main

// #include <stdlib.h>
// #include <string.h>
// static void *volatile lost; // or the compiler leaves it all out
// static void leak(size_t bytes) { lost = memset(malloc(bytes), 1, bytes); }
import "C"

func leak(mib int) { C.leak(C.size_t(mib << 20)) }
