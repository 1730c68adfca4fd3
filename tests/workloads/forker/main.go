// Starts a child process that sleeps, and says its pid, each time it gets SIGUSR1: what a child has from a parent whose
// limits were changed meanwhile is then seen in the child.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	orders := make(chan os.Signal, 8)
	signal.Notify(orders, syscall.SIGUSR1)
	fmt.Printf("{\"event\":\"ready\",\"pid\":%d}\n", os.Getpid())
	for range orders {
		child := exec.Command("sleep", "1000")
		child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := child.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("{\"event\":\"child\",\"pid\":%d}\n", child.Process.Pid)
	}
}
