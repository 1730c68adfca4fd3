// Package say prints the JSON lines by which a workload tells what it is and what it sees.
package say

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"time"
)

var (
	start = time.Now()
	mutex sync.Mutex
)

// Fields are one line's keys; "event", "pid" and "at" (seconds since the program started) are added.
type Fields map[string]any

// Line prints one event as one line, by one write.
func Line(event string, fields Fields) {
	line := Fields{"event": event, "pid": os.Getpid(), "at": float64(time.Since(start).Milliseconds()) / 1000}
	for key, value := range fields {
		line[key] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	mutex.Lock()
	defer mutex.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

// Fatal prints the error as an event and ends the program.
func Fatal(what string, err error) {
	Line("error", Fields{"what": what, "error": err.Error()})
	os.Exit(1)
}

// StatusField reads one field of /proc/PATH/status, "" when it is not there.
func StatusField(path, field string) string {
	text, err := os.ReadFile("/proc/" + path + "/status")
	if err != nil {
		return ""
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, field+":") {
			return strings.TrimSpace(line[len(field)+1:])
		}
	}
	return ""
}
