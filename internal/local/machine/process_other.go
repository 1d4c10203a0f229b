//go:build !linux

package machine

import (
	"errors"
	"net"
)

var errLinux = errors.New("only Linux can play it")

func passCredentials(*net.UnixConn) error { return errLinux }

func sender([]byte) int { return 0 }

func memoryOf(int) uint64 { return 0 }
