// Idles for a minute, as any Go program that has nothing to do. With arguments it executes them at SIGUSR1, so that a
// known pid gets a new image.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	next := make(chan os.Signal, 1)
	signal.Notify(next, syscall.SIGUSR1)
	fmt.Printf("{\"event\":\"ready\",\"pid\":%d}\n", os.Getpid())
	select {
	case <-next:
		if len(os.Args) > 1 {
			fmt.Fprintln(os.Stderr, syscall.Exec(os.Args[1], os.Args[1:], os.Environ()))
			os.Exit(1)
		}
	case <-time.After(time.Minute):
	}
}
