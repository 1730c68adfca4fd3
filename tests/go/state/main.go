// A program that does what it is told, a line a command on standard input, and says what it knows of itself: the truth
// that the tests of the Go runtime's signals compare with. Built with every Go release since 1.15, so it uses little.
package main

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

var (
	began = time.Now()
	held  [][]byte
	sink  []byte
	stop  = make(chan bool)
)

func main() {
	debug.SetGCPercent(100) // whatever GOGC says
	in := bufio.NewReader(os.Stdin)
	say("ready", 1)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		number := 0
		if len(words) > 1 {
			number, _ = strconv.Atoi(words[1])
		}
		switch words[0] {
		case "state":
			state()
			continue
		case "spawn":
			for i := 0; i < number; i++ {
				go func() { <-stop }()
			}
		case "end":
			for i := 0; i < number; i++ {
				stop <- true
			}
			time.Sleep(20 * time.Millisecond) // those that were told end a moment later
		case "procs":
			runtime.GOMAXPROCS(number)
		case "gc":
			for i := 0; i < number; i++ {
				runtime.GC()
			}
		case "percent":
			debug.SetGCPercent(number)
		case "limit":
			setLimit(int64(number))
		case "hold": // MiB
			for i := 0; i < number; i++ {
				block := make([]byte, 1<<20)
				for at := 0; at < len(block); at += 4096 {
					block[at] = 1 // a page that nobody touched is not resident
				}
				held = append(held, block)
			}
		case "drop":
			held = nil
		case "release":
			debug.FreeOSMemory()
		case "churn": // MiB
			for i := 0; i < number*256; i++ {
				sink = make([]byte, 4096)
			}
		case "leak": // MiB that the collector does not know of
			leak(number)
		case "version":
			os.Stdout.WriteString(runtime.Version() + "\n")
			continue
		}
		say("done", 1)
	}
}

func state() {
	var stats runtime.MemStats
	var collections debug.GCStats
	debug.ReadGCStats(&collections)
	runtime.ReadMemStats(&stats)
	pauses := int64(0)
	for i := 0; i < len(collections.Pause); i++ {
		pauses += int64(collections.Pause[i])
	}
	now := time.Now()
	out := make([]byte, 0, 1024)
	add := func(name string, value int64) {
		out = append(out, name...)
		out = append(out, '=')
		out = strconv.AppendInt(out, value, 10)
		out = append(out, ' ')
	}
	add("gomaxprocs", int64(runtime.GOMAXPROCS(0)))
	add("goroutines", int64(runtime.NumGoroutine()))
	add("gc", int64(stats.NumGC))
	add("pauses", int64(stats.PauseTotalNs))
	add("pauses256", pauses)
	add("gccpu", int64(stats.GCCPUFraction*1e12))
	add("lastgc", int64(stats.LastGC)-began.UnixNano())
	add("age", int64(now.Sub(began)))
	add("goal", int64(stats.NextGC))
	add("sys", int64(stats.Sys))
	add("released", int64(stats.HeapReleased))
	add("alloc", int64(stats.TotalAlloc))
	add("heap", int64(stats.HeapAlloc))
	add("limit", limit())
	add("live", live())
	os.Stdout.Write(append(out, '\n'))
}

func say(name string, value int) { os.Stdout.WriteString(name + "=" + strconv.Itoa(value) + "\n") }
