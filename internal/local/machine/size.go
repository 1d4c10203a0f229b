package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
)

// VCPU is how many CPUs the instance's type has: on this machine, how many its
// service uses at once. A type whose size is not known has one.
func (m *Machine) VCPU() int {
	ladder, err := scaling.NewLadder([]string{m.Type})
	if err != nil {
		return 1
	}
	return ladder[0].VCPU
}

// memory is how many bytes the instance's type has. The kernel keeps a few percent
// of them on AWS. A type whose size is not known has no bound, 0.
func (m *Machine) memory() uint64 {
	ladder, err := scaling.NewLadder([]string{m.Type})
	if err != nil {
		return 0
	}
	return uint64(ladder[0].MemoryGiB * (1 << 30))
}

// Busy is the share of its CPUs that the instance uses at this moment, from 0 to
// 1. A thread that waits for a CPU of this machine, which all instances share,
// would use one of its own.
func (m *Machine) Busy() (float64, error) {
	pid, err := m.process()
	if err != nil {
		return 0, err
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return 0, err
	}
	if len(threads) == 0 {
		return 0, fmt.Errorf("%s runs no service at this moment", m.ID)
	}
	running := 0
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // a thread that has just ended
		}
		// The state follows the name, which may hold spaces and parentheses; R is
		// running or ready to. Source: proc_pid_stat(5).
		if strings.HasPrefix(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " R") {
			running++
		}
	}
	return min(1, float64(running)/float64(m.VCPU())), nil
}

// CPUTime is how long CPUs of this machine have run the service's process.
func (m *Machine) CPUTime() (time.Duration, error) {
	pid, err := m.process()
	if err != nil {
		return 0, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// After the name come the state, the 3rd field, and among others utime and
	// stime, the 14th and 15th, in hundredths of a second. Source: proc_pid_stat(5).
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: want 15 fields at least, got %q", pid, stat)
	}
	var used time.Duration
	for _, ticks := range fields[11:13] {
		n, err := strconv.ParseInt(ticks, 10, 64)
		if err != nil {
			return 0, err
		}
		used += time.Duration(n) * 10 * time.Millisecond
	}
	return used, nil
}

// process is the id of the service's process.
func (m *Machine) process() (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pid == 0 {
		return 0, fmt.Errorf("%s has not started its service yet", m.ID)
	}
	return m.pid, nil
}
