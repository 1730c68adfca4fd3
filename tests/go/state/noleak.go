//go:build !cgo
// +build !cgo

package main

func leak(mib int) {}
