// Prints where the Go runtime of a program keeps what gotuned reads of it, one line a field: name, variable, offset;
// and the sizes of the variables. From the program's DWARF. Called by scripts/go-layouts.
package main

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"os"
	"strings"
)

// A field by the paths that it had in the course of the releases; the first that exists counts. A field that a release
// does not have is left out: what is made of it is then absent.
var fields = []struct {
	name  string
	paths []string
}{
	{"sched_free", []string{"sched.gFree.n", "sched.gFree.stack.size"}},
	{"sched_free_no_stack", []string{"sched.gFree.noStack.size"}},
	{"sched_system", []string{"sched.ngsys"}},
	{"p_id", []string{"p.id"}},
	{"p_free_head", []string{"p.gFree.gList.head", "p.gFree.head"}},
	{"p_free", []string{"p.gFree.n", "p.gFree.size"}},
	{"gc_count", []string{"memstats.numgc"}},
	{"gc_pauses", []string{"memstats.pause_ns"}},
	{"gc_time", []string{"work.totaltime", "work.cpuStats.gcTotalTime", "work.cpuStats.GCTotalTime"}},
	{"gc_idle_time", []string{"work.cpuStats.gcIdleTime", "work.cpuStats.GCIdleTime"}},
	{"heap_marked", []string{"memstats.heap_marked", "gcController.heapMarked"}},
	{"next_gc", []string{"memstats.next_gc"}},
	{"percent_goal", []string{"gcController.gcPercentHeapGoal"}},
	{"sweep_trigger", []string{"gcController.sweepDistMinTrigger"}},
	{"triggered", []string{"gcController.triggered"}},
	{"memory_limit", []string{"gcController.memoryLimit"}},
	{"mapped_ready", []string{"gcController.mappedReady"}},
	{"heap_released", []string{"memstats.heap_released", "gcController.heapReleased"}},
	{"heap_free", []string{"gcController.heapFree"}},
	{"total_alloc", []string{"gcController.totalAlloc"}},
	{"total_free", []string{"gcController.totalFree"}},
	{"heap_sys", []string{"memstats.heap_sys"}},
	{"stacks_sys", []string{"memstats.stacks_sys"}},
	{"stacks_in_use", []string{"memstats.stacks_inuse"}},
	{"mspan_sys", []string{"memstats.mspan_sys"}},
	{"mcache_sys", []string{"memstats.mcache_sys"}},
	{"buckhash_sys", []string{"memstats.buckhash_sys"}},
	{"gc_sys", []string{"memstats.gc_sys"}},
	{"other_sys", []string{"memstats.other_sys"}},
	{"waiting_reader", []string{"pollDesc.rg"}},
}

// Types by a variable's name, or by their own where there is no variable.
var variables = map[string]bool{"sched": true, "memstats": true, "gcController": true, "work": true}
var types = map[string]bool{"p": true, "pollDesc": true}

func main() {
	file, err := elf.Open(os.Args[1])
	check(err)
	data, err := file.DWARF()
	check(err)
	roots := find(data)
	for _, name := range []string{"sched", "memstats", "gcController", "work"} {
		fmt.Println("size", name, roots[name].Size())
	}
	_, _, modern := resolve(roots["gcController"], []string{"mappedReady"})
	for _, field := range fields {
		if modern && strings.HasSuffix(field.name, "_sys") {
			continue // mapped_ready has them all
		}
		for _, path := range field.paths {
			parts := strings.Split(path, ".")
			if offset, size, found := resolve(roots[parts[0]], parts[1:]); found {
				fmt.Println("field", field.name, parts[0], offset, size)
				break
			}
		}
	}
}

func find(data *dwarf.Data) map[string]*dwarf.StructType {
	out := map[string]*dwarf.StructType{}
	for reader := data.Reader(); ; {
		entry, err := reader.Next()
		check(err)
		if entry == nil {
			return out
		}
		name, _ := entry.Val(dwarf.AttrName).(string)
		short := strings.TrimPrefix(name, "runtime.")
		if short == name {
			continue
		}
		offset := entry.Offset
		switch {
		case entry.Tag == dwarf.TagVariable && variables[short]:
			offset = entry.Val(dwarf.AttrType).(dwarf.Offset)
		case entry.Tag == dwarf.TagStructType && types[short]:
		default:
			continue
		}
		kind, err := data.Type(offset)
		check(err)
		if found, ok := plain(kind).(*dwarf.StructType); ok {
			out[short] = found
		}
	}
}

func resolve(in *dwarf.StructType, path []string) (offset, size int64, found bool) {
	if in == nil {
		return 0, 0, false
	}
	for _, field := range in.Field {
		if field.Name != path[0] {
			continue
		}
		inner, isStruct := plain(field.Type).(*dwarf.StructType)
		if len(path) > 1 {
			offset, size, found = resolve(inner, path[1:])
		} else if isStruct { // sync/atomic's types of the runtime
			offset, size, found = resolve(inner, []string{"value"})
		} else {
			size, found = field.Type.Size(), true
		}
		return field.ByteOffset + offset, size, found
	}
	return 0, 0, false
}

func plain(kind dwarf.Type) dwarf.Type {
	for {
		named, ok := kind.(*dwarf.TypedefType)
		if !ok {
			return kind
		}
		kind = named.Type
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "layouts:", err)
		os.Exit(1)
	}
}
