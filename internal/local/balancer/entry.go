package balancer

import (
	"context"
	"io"
	"log"
	"net"
	"sync"
)

// closest is how many regions an accelerator tries, whatever their dials, before it fails
// open. Source: AWS Global Accelerator Developer Guide, "Endpoint weights", "Failover for
// unhealthy endpoints".
const closest = 3

// Entry plays an accelerator: it takes each connection to the first of the closest
// regions that is healthy, in the order of the configuration. All users of this machine
// are nearest to the first.
type Entry struct {
	log *log.Logger

	mu      sync.Mutex
	regions []*Balancer
}

// NewEntry accepts connections on listener until ctx ends.
func NewEntry(ctx context.Context, listener net.Listener, log *log.Logger) *Entry {
	e := &Entry{log: log}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go e.serve(ctx, connection)
		}
	}()
	return e
}

// Update takes the regions that are registered, the nearest first.
func (e *Entry) Update(regions []*Balancer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.regions = regions
}

// route returns the nearest of the closest regions that is healthy. If none of them is it
// returns the nearest, though another region may be healthy: an accelerator fails open (rule 16).
func (e *Entry) route() *Balancer {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, region := range e.regions[:min(closest, len(e.regions))] {
		if region.Healthy() {
			return region
		}
	}
	if len(e.regions) == 0 {
		return nil
	}
	return e.regions[0]
}

// serve joins a connection to a region's load balancer. It stays there: an
// accelerator moves new connections only.
func (e *Entry) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	region := e.route()
	if region == nil {
		return
	}
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", region.Addr)
	if err != nil {
		e.log.Print(err)
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { _ = client.Close(); _ = server.Close() })
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(server, client)
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(client, server)
	_ = client.Close()
	<-done
}
