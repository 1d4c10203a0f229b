package balancer

import (
	"context"
	"io"
	"log"
	"net"
	"slices"
	"sync"
)

// closest is how many regions an accelerator tries, whatever their dials, before it fails
// open. Source: AWS Global Accelerator Developer Guide, "Endpoint weights", "Failover for
// unhealthy endpoints".
const closest = 3

// Endpoint is a region's load balancer as the entry knows it.
type Endpoint struct {
	*Balancer
	// Dial is how many percent of the region's own users it takes; anything above 0 is
	// taken for all.
	Dial float64
	// Lost is whether the region does not answer, whatever its load balancer here says.
	Lost bool
	// Record is whether Route 53 sends users there: it tries all regions, where an
	// accelerator tries the closest.
	Record bool
}

func (e Endpoint) healthy() bool { return !e.Lost && e.Healthy() }

// Entry plays an accelerator, or a zone's records: it takes each connection to the nearest region whose dial
// is above 0, or where that is not healthy to the first of the closest ones that is, in
// the order of the configuration. All users of this machine are nearest to the first.
type Entry struct {
	log *log.Logger

	mu      sync.Mutex
	regions []Endpoint
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

// Update takes a copy of the regions that are registered, the nearest first.
func (e *Entry) Update(regions []Endpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.regions = slices.Clone(regions)
}

// route returns the nearest region whose dial is above 0. If that is not healthy it returns
// the nearest of the closest ones that is, and if none of them is the nearest, though
// another region may be healthy: an accelerator that fails over looks at no dial, and in the
// end fails open (rule 16). Of records all are tried, and where none is healthy the answer is
// as if all were (rule 16c).
func (e *Entry) route() (Endpoint, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := slices.IndexFunc(e.regions, func(r Endpoint) bool { return r.Dial > 0 }); i >= 0 && e.regions[i].healthy() {
		return e.regions[i], true
	}
	tried := e.regions
	if len(tried) > closest && !tried[0].Record {
		tried = tried[:closest]
	}
	if i := slices.IndexFunc(tried, Endpoint.healthy); i >= 0 {
		return tried[i], true
	}
	if len(e.regions) == 0 {
		return Endpoint{}, false
	}
	return e.regions[0], true
}

// serve joins a connection to a region's load balancer. It stays there: an
// accelerator moves new connections only.
func (e *Entry) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	region, ok := e.route()
	if !ok || region.Lost {
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
