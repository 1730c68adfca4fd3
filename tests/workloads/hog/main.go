// hog burns CPU in as many goroutines as asked, then quiets down (after -burn, or on SIGUSR1) and stays idle.
// It tells the affinity of its threads whenever that changes, and on SIGUSR2.
package main

import (
	"flag"
	"os"
	"os/signal"
	"runtime"
	"sort"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"gotuned/workloads/internal/say"
)

// affinity gives the distinct CPU lists of all threads, joined by " | ": one list when all agree.
func affinity() string {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return ""
	}
	distinct := map[string]bool{}
	for _, task := range tasks {
		if list := say.StatusField("self/task/"+task.Name(), "Cpus_allowed_list"); list != "" {
			distinct[list] = true
		}
	}
	lists := make([]string, 0, len(distinct))
	for list := range distinct {
		lists = append(lists, list)
	}
	sort.Strings(lists)
	return strings.Join(lists, " | ")
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

var sink uint64

func burn(quiet *atomic.Bool) {
	var x uint64 = 88172645463325252
	for !quiet.Load() {
		for i := 0; i < 100_000; i++ { // xorshift: work that the compiler cannot leave out
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
	}
	atomic.AddUint64(&sink, x)
}

func main() {
	goroutines := flag.Int("n", runtime.NumCPU(), "goroutines that burn")
	after := flag.Duration("burn", 0, "quiet down after this time; 0: only on SIGUSR1")
	quitAfter := flag.Duration("for", 0, "end after this time; 0: never")
	flag.Parse()

	var quiet atomic.Bool
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGINT)
	var quietAt, quitAt <-chan time.Time
	if *after > 0 {
		quietAt = time.After(*after)
	}
	if *quitAfter > 0 {
		quitAt = time.After(*quitAfter)
	}
	for i := 0; i < *goroutines; i++ {
		go burn(&quiet)
	}
	seen := affinity()
	say.Line("ready", say.Fields{"affinity": seen, "goroutines": *goroutines})
	look := time.NewTicker(200 * time.Millisecond)
	for {
		select {
		case <-look.C:
			if now := affinity(); now != seen {
				say.Line("affinity", say.Fields{"affinity": now, "before": seen})
				seen = now
			}
		case <-quietAt:
			quiet.Store(true)
			say.Line("quiet", say.Fields{"cpu_seconds": cpuTime().Seconds()})
		case <-quitAt:
			return
		case what := <-signals:
			switch what {
			case syscall.SIGUSR1:
				quiet.Store(true)
				say.Line("quiet", say.Fields{"cpu_seconds": cpuTime().Seconds()})
			case syscall.SIGUSR2:
				say.Line("asked", say.Fields{"affinity": affinity(), "cpu_seconds": cpuTime().Seconds()})
			default:
				say.Line("end", say.Fields{"affinity": affinity(), "cpu_seconds": cpuTime().Seconds()})
				return
			}
		}
	}
}
