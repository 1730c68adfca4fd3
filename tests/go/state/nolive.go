//go:build !go1.21
// +build !go1.21

package main

func live() int64 { return -1 }
