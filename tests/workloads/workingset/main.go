// workingset is a service whose heap is live: each operation touches every page of one block of it. In a cgroup whose
// memory.high is below that heap it is throttled, and its rate says how much. At SIGUSR1 it lets go of all blocks but one.
package main

import (
	"flag"
	"math/rand"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"gotuned/workloads/internal/say"
)

func main() {
	size := flag.Int("mib", 60, "size of the working set")
	block := flag.Int("block", 256, "KiB that one operation touches")
	every := flag.Duration("every", 0, "time between operations; 0: as fast as they go")
	flag.Parse()

	blocks := make([][]byte, *size*1024 / *block)
	for i := range blocks {
		blocks[i] = make([]byte, *block*1024)
	}
	shrink := make(chan os.Signal, 1)
	signal.Notify(shrink, syscall.SIGUSR1)
	say.Line("ready", say.Fields{"mib": *size})
	operations, told := 0, time.Now()
	for {
		select {
		case <-shrink:
			blocks = [][]byte{blocks[0]}
			debug.FreeOSMemory()
			say.Line("shrunk", say.Fields{"kib": *block})
		default:
		}
		one := blocks[rand.Intn(len(blocks))]
		for at := 0; at < len(one); at += 4096 {
			one[at]++
		}
		operations++
		if *every > 0 {
			time.Sleep(*every)
		}
		if since := time.Since(told); since >= time.Second {
			say.Line("rate", say.Fields{"operations_per_second": float64(operations) / since.Seconds()})
			operations, told = 0, time.Now()
		}
	}
}
