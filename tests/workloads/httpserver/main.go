// httpserver answers every request with a few bytes and counts them in a file that others may map: the count is
// the first 8 bytes, in the machine's order.
package main

import (
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"gotuned/workloads/internal/say"
)

func sharedCounter(path string) *uint64 {
	if path == "" {
		return new(uint64)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		say.Fatal("open the shared count", err)
	}
	defer file.Close()
	if err := file.Truncate(4096); err != nil {
		say.Fatal("size the shared count", err)
	}
	memory, err := syscall.Mmap(int(file.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		say.Fatal("map the shared count", err)
	}
	return (*uint64)(unsafe.Pointer(&memory[0]))
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	count := flag.String("count", "", "file to count requests in, shared by mmap")
	work := flag.Duration("work", 0, "CPU time to burn in each request")
	flag.Parse()

	requests := sharedCounter(*count)
	answer := "hello from a Go service\n"
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		say.Fatal("listen", err)
	}
	handler := http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		if *work > 0 {
			for begin := time.Now(); time.Since(begin) < *work; {
			}
		}
		io.WriteString(out, answer)
		atomic.AddUint64(requests, 1)
	})
	go func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
		<-stop
		say.Line("end", say.Fields{"requests": atomic.LoadUint64(requests)})
		os.Exit(0)
	}()
	say.Line("ready", say.Fields{"listen": listener.Addr().String()})
	say.Fatal("serve", http.Serve(listener, handler))
}
