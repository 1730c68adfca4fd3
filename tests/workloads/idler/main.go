// Does next to nothing for ever: it listens, and wakes up now and then, as most services do most of the time.
package main

import (
	"flag"
	"fmt"
	"math/rand"
	"net"
	"os"
	"time"
)

func main() {
	every := flag.Duration("every", 30*time.Second, "between two wake-ups; the first comes at a random moment within it")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connection.Close()
		}
	}()
	fmt.Printf("{\"event\":\"ready\",\"pid\":%d}\n", os.Getpid())
	random := rand.New(rand.NewSource(int64(os.Getpid())))
	time.Sleep(time.Duration(random.Int63n(int64(*every) + 1)))
	for range time.Tick(*every) {
	}
}
