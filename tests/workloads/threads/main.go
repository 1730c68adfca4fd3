// threads makes threads that end at once, a few at a time without a pause: a goroutine that returns while it is locked
// to its thread takes the thread with it. It tells each second how many there were; SIGUSR1 ends the storm, not the program.
package main

import (
	"flag"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"gotuned/workloads/internal/say"
)

func main() {
	workers := flag.Int("workers", 4, "threads at a time")
	flag.Parse()
	say.Line("ready", nil)

	var quiet atomic.Bool
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGUSR1)
	go func() {
		<-quit
		quiet.Store(true)
	}()

	var made uint64
	for i := 0; i < *workers; i++ {
		go func() {
			for !quiet.Load() {
				ended := make(chan struct{})
				go func() {
					runtime.LockOSThread()
					close(ended)
				}()
				<-ended
				atomic.AddUint64(&made, 1)
			}
		}()
	}
	for range time.Tick(time.Second) {
		say.Line("state", say.Fields{"threads": atomic.LoadUint64(&made)})
	}
}
