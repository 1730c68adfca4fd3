// fdlimit is a server near its descriptor limit: it lowers its own soft limit, then opens connections to itself,
// step by step, until it has as many as asked or accept and dial fail with EMFILE. Some time after it sees that
// its limit was raised it closes most connections, so that the old limit may safely come back. At SIGUSR1 it starts a
// child, which inherits the limit of that moment.
package main

import (
	"errors"
	"flag"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"gotuned/workloads/internal/say"
)

type server struct {
	mutex    sync.Mutex
	accepted []net.Conn
	total    uint64
	emfile   map[string]uint64 // by call
}

func (s *server) failed(call string, err error) {
	if errors.Is(err, syscall.EMFILE) {
		s.mutex.Lock()
		s.emfile[call]++
		s.mutex.Unlock()
		time.Sleep(20 * time.Millisecond) // as net/http does: without it a full server spins
	}
}

func (s *server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.failed("accept", err)
			continue
		}
		s.mutex.Lock()
		s.accepted = append(s.accepted, conn)
		s.total++
		s.mutex.Unlock()
	}
}

func (s *server) closeAccepted() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, conn := range s.accepted {
		conn.Close()
	}
	s.accepted = nil
}

func (s *server) fields() say.Fields {
	var limit syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return say.Fields{"soft": limit.Cur, "hard": limit.Max, "open": len(s.accepted), "accepted": s.total,
		"emfile_accept": s.emfile["accept"], "emfile_dial": s.emfile["socket"]}
}

func softLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		say.Fatal("getrlimit", err)
	}
	return limit.Cur
}

func main() {
	soft := flag.Uint64("soft", 64, "own soft descriptor limit")
	goal := flag.Int("connections", 60, "connections wanted; each costs two descriptors")
	step := flag.Duration("step", 100*time.Millisecond, "time between new connections")
	closeAfter := flag.Duration("close-after", 10*time.Second, "close them this long after the limit was raised; 0: never")
	flag.Parse()

	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		say.Fatal("getrlimit", err)
	}
	limit.Cur = *soft
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		say.Fatal("lower the own limit", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		say.Fatal("listen", err)
	}
	s := &server{emfile: map[string]uint64{}}
	go s.accept(listener)
	ready := s.fields()
	ready["listen"] = listener.Addr().String()
	say.Line("ready", ready)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	fork := make(chan os.Signal, 1)
	signal.Notify(fork, syscall.SIGUSR1)
	var clients []net.Conn
	var raised, closed, full bool
	var closeAt <-chan time.Time
	seen := *soft
	tell := time.NewTicker(time.Second)
	open := time.NewTicker(*step)
	for {
		select {
		case <-open.C:
			if now := softLimit(); now != seen {
				line := s.fields()
				line["before"] = seen
				say.Line("limit", line)
				seen = now
				if now > *soft && !raised && *closeAfter > 0 {
					closeAt = time.After(*closeAfter)
				}
				raised = raised || now > *soft
			}
			if closed || len(clients) >= *goal {
				continue
			}
			conn, err := net.DialTimeout("tcp", listener.Addr().String(), time.Second)
			if err != nil {
				if !full && errors.Is(err, syscall.EMFILE) {
					full = true
					say.Line("full", s.fields())
				}
				s.failed("socket", err)
				continue
			}
			clients = append(clients, conn)
		case <-closeAt:
			for _, conn := range clients {
				conn.Close()
			}
			clients, closed, closeAt = nil, true, nil
			s.closeAccepted()
			say.Line("closed", s.fields())
		case <-fork:
			child := exec.Command("sleep", "600")
			if err := child.Start(); err != nil {
				say.Fatal("start a child", err)
			}
			say.Line("child", say.Fields{"child": child.Process.Pid})
		case <-tell.C:
			say.Line("state", s.fields())
		case <-stop:
			say.Line("end", s.fields())
			return
		}
	}
}
