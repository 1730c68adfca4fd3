// latereader reads messages later than they come, by as much as each asks for, and measures itself how long each had
// been there: a message is two numbers of 64 bits, the monotonic clock when it was sent, and for how many microseconds
// to leave the connection alone after this message was answered. At the end of the connection it tells all it measured.
package main

import (
	"encoding/binary"
	"flag"
	"net"
	"syscall"
	"time"
	"unsafe"

	"gotuned/workloads/internal/say"
)

const message = 16

// monotonic is CLOCK_MONOTONIC, which Go's own clock reading does not give as a number.
func monotonic() uint64 {
	var now syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&now)), 0)
	return uint64(now.Sec)*1e9 + uint64(now.Nsec)
}

func serve(connection net.Conn) {
	defer connection.Close()
	var waits []uint64
	buffer := make([]byte, message)
	for {
		// One read a message: the sender sends the next one only when this one is answered.
		n, err := connection.Read(buffer)
		now := monotonic()
		if err != nil {
			break
		}
		if n != message {
			say.Line("error", say.Fields{"what": "a torn message", "bytes": n})
			return
		}
		waits = append(waits, now-binary.LittleEndian.Uint64(buffer))
		pause := time.Duration(binary.LittleEndian.Uint64(buffer[8:])) * time.Microsecond
		if _, err := connection.Write(buffer[:1]); err != nil {
			break
		}
		if pause > 0 {
			time.Sleep(pause)
		}
	}
	say.Line("waits", say.Fields{"ns": waits})
}

func main() {
	address := flag.String("listen", "127.0.0.1:0", "where to listen")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		say.Fatal("listen", err)
	}
	say.Line("ready", say.Fields{"listen": listener.Addr().String()})
	for {
		connection, err := listener.Accept()
		if err != nil {
			say.Fatal("accept", err)
		}
		go serve(connection)
	}
}
