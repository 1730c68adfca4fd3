// weirdname runs itself again, in the same process, from a copy whose name holds newlines, quotes and invalid
// UTF-8, with such arguments too. Any local user can do this; no table, log or scrape may break on it.
package main

import (
	"flag"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"gotuned/workloads/internal/say"
)

const (
	name   = "we\xff\n\"'\\{}=1 # \xc3\x28\x1b[31m"
	marker = "GOTUNED_WEIRDNAME"
)

func run(folder string) {
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		say.Fatal("open the own file", err)
	}
	path := filepath.Join(folder, name)
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o700)
	if err != nil {
		say.Fatal("create the copy", err)
	}
	if _, err := io.Copy(to, from); err != nil {
		say.Fatal("copy", err)
	}
	to.Close()
	arguments := []string{path, "--a\nb", "\xff\xfe", `"} 1`}
	say.Fatal("exec", syscall.Exec(path, arguments, append(os.Environ(), marker+"=1")))
}

// echo keeps the netpoller at work: a connection of its own answers every 20 ms.
func echo() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		say.Fatal("listen", err)
	}
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			io.Copy(conn, conn)
		}
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		say.Fatal("dial", err)
	}
	go func() {
		byteOf := []byte{1}
		for {
			conn.Write(byteOf)
			conn.Read(byteOf)
			time.Sleep(20 * time.Millisecond)
		}
	}()
}

func main() {
	if os.Getenv(marker) == "" {
		folder := flag.String("dir", os.TempDir(), "folder for the copy")
		flag.Parse()
		run(*folder)
	}
	echo()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	exe, _ := os.Readlink("/proc/self/exe")
	say.Line("ready", say.Fields{"exe_bytes": []byte(exe)})
	<-stop
	say.Line("end", nil)
}
