// A server that sends back each byte, with one goroutine a connection that waits for the netpoller, and that measures by
// itself how long its goroutines waited to run (runtime/metrics). With "-stress" everything that moves stacks and
// interrupts threads goes on beside it: collections, deep recursion, signals, a CPU profile.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"sync/atomic"
	"syscall"
)

var sink []byte
var rounds int64

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	if len(os.Args) > 1 && os.Args[1] == "-stress" {
		stress()
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go echo(connection)
		}
	}()
	in := bufio.NewReader(os.Stdin)
	for {
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
		tell()
	}
}

func echo(connection net.Conn) {
	byte := make([]byte, 1)
	for {
		if _, err := io.ReadFull(connection, byte); err != nil {
			return
		}
		if _, err := connection.Write(byte); err != nil {
			return
		}
	}
}

// tell says how many goroutines waited how long: "rounds lower:count …", seconds.
func tell() {
	samples := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(samples)
	fmt.Print(atomic.LoadInt64(&rounds))
	if samples[0].Value.Kind() == metrics.KindFloat64Histogram {
		histogram := samples[0].Value.Float64Histogram()
		for i, count := range histogram.Counts {
			if count > 0 {
				fmt.Printf(" %g:%d", histogram.Buckets[i], count)
			}
		}
	}
	fmt.Println()
}

func stress() {
	debug.SetGCPercent(1)
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGWINCH)
	go func() {
		for range signals {
		}
	}()
	pprof.StartCPUProfile(io.Discard)
	for i := 0; i < 4; i++ {
		go func() {
			for {
				deep(4000)
				sink = make([]byte, 100000)
				atomic.AddInt64(&rounds, 1)
				done := make(chan bool)
				go func() { deep(500); done <- true }() // grows a fresh stack each time
				<-done
				runtime.Gosched()
			}
		}()
	}
}

//go:noinline
func deep(n int) int {
	var room [64]byte
	room[n%64] = 1
	if n == 0 {
		return 0
	}
	return deep(n-1) + int(room[n%64])
}
