// Package child runs programs that never outlive this one.
package child

import (
	"context"
	"os/exec"
	"runtime"
	"time"
)

// Run starts cmd in a process group of its own and sends its result, once, when
// it has ended. When ctx ends, the group is asked to terminate and, after
// grace, killed. On Linux the kernel kills cmd when this process dies.
func Run(ctx context.Context, cmd *exec.Cmd, grace time.Duration) <-chan error {
	return RunNoting(ctx, cmd, grace, func(int) {})
}

// RunNoting is Run that calls started with the process's id, in a goroutine of
// its own, once there is one.
func RunNoting(ctx context.Context, cmd *exec.Cmd, grace time.Duration, started func(pid int)) <-chan error {
	done := make(chan error, 1)
	go func() {
		// The kernel ties a child to the thread that started it.
		runtime.LockOSThread()
		done <- run(ctx, cmd, grace, started)
		close(done)
	}()
	return done
}

func run(ctx context.Context, cmd *exec.Cmd, grace time.Duration, started func(pid int)) error {
	isolate(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	started(cmd.Process.Pid)
	exited := make(chan struct{})
	go func() {
		select {
		case <-exited:
			return
		case <-ctx.Done():
		}
		terminate(cmd)
		select {
		case <-exited:
		case <-time.After(grace):
			kill(cmd)
		}
	}()
	// Wait also waits for the pipes; a grandchild may hold them open.
	cmd.WaitDelay = grace + time.Second
	err := cmd.Wait()
	close(exited)
	if ctx.Err() != nil {
		kill(cmd) // what of its group is left
		return ctx.Err()
	}
	return err
}
