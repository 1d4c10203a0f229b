package main

import "golang.org/x/sys/unix"

// init ends this program with the one that started it: a make that is killed
// takes the islands with it. It runs on the main thread, which the kernel's
// setting belongs to.
func init() { _ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0) }
