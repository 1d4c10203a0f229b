package main

import (
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// fault is a way in which a service of AWS fails.
type fault string

const (
	none fault = ""
	// refusing takes no connection.
	refusing fault = "refusing"
	// silent takes a request and never answers.
	silent fault = "silent"
	// slow answers after ten seconds.
	slow fault = "slow"
	// stalling sends the head of an answer, and its body never.
	stalling fault = "stalling"
	// resetting cuts every connection when a request has come.
	resetting fault = "resetting"
	// deaf does what it is asked and cuts the connection instead of answering.
	deaf fault = "deaf"
	// failing answers 500.
	failing fault = "failing"
	// throttling answers that it is asked too much.
	throttling fault = "throttling"
	// forgetful is deaf to the first attempt of each call only.
	forgetful fault = "forgetful"
)

// faults are those that no attempt gets through.
var faults = []fault{refusing, silent, slow, stalling, resetting, deaf, failing, throttling}

// faulty stands before one service of AWS and fails when told to.
type faulty struct {
	// URL is where it answers.
	URL string

	t       *testing.T
	address string
	proxy   *httputil.ReverseProxy
	error   func(http.ResponseWriter, fault)

	mu     sync.Mutex
	fault  fault
	healed chan struct{} // closed when fault ends
	server *http.Server
}

// newFaulty returns one before the emulator at target. fail answers with an
// error as the service does.
func newFaulty(t *testing.T, target string, fail func(http.ResponseWriter, fault)) *faulty {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{t: t, error: fail, healed: make(chan struct{}), proxy: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			host := r.In.Host // it is signed
			r.SetURL(to)
			r.Out.Host = host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}}
	f.listen("127.0.0.1:0")
	f.URL = "http://" + f.address
	t.Cleanup(func() {
		f.set(none)
		f.server.Close()
	})
	return f
}

func (f *faulty) listen(address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		f.t.Error(err)
		return
	}
	f.address = listener.Addr().String()
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	go func(s *http.Server) { _ = s.Serve(listener) }(f.server)
}

// set changes the fault.
func (f *faulty) set(now fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.fault
	f.fault = now
	close(f.healed)
	f.healed = make(chan struct{})
	switch {
	case now == refusing && before != refusing:
		f.server.Close()
	case before == refusing && now != refusing:
		f.listen(f.address)
	}
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	fault, healed := f.fault, f.healed
	f.mu.Unlock()
	if first := strings.HasPrefix(r.Header.Get("Amz-Sdk-Request"), "attempt=1;"); fault == forgetful {
		fault = none
		if first {
			fault = deaf
		}
	}
	wait := func(d time.Duration) {
		select {
		case <-healed:
		case <-r.Context().Done():
		case <-time.After(d):
		}
	}
	switch fault {
	case none, refusing:
		f.proxy.ServeHTTP(w, r)
	case silent:
		_, _ = io.Copy(io.Discard, r.Body)
		wait(time.Hour)
		panic(http.ErrAbortHandler)
	case slow:
		wait(10 * time.Second)
		f.proxy.ServeHTTP(w, r)
	case stalling:
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method != http.MethodHead { // else there is no body to wait for
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		wait(time.Hour)
		panic(http.ErrAbortHandler)
	case resetting:
		panic(http.ErrAbortHandler)
	case deaf:
		f.proxy.ServeHTTP(&unheard{header: http.Header{}}, r)
		panic(http.ErrAbortHandler)
	default:
		f.error(w, fault)
	}
}

// unheard is an answer that nobody gets.
type unheard struct{ header http.Header }

func (u *unheard) Header() http.Header       { return u.header }
func (*unheard) Write(b []byte) (int, error) { return len(b), nil }
func (*unheard) WriteHeader(int)             {}

// failDynamoDB answers as DynamoDB does.
func failDynamoDB(w http.ResponseWriter, f fault) {
	status, name := http.StatusInternalServerError, "InternalServerError"
	if f == throttling {
		status, name = http.StatusBadRequest, "ProvisionedThroughputExceededException"
	}
	body := fmt.Appendf(nil, `{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"failed"}`, name)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amz-Crc32", fmt.Sprint(crc32.ChecksumIEEE(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// failS3 answers as S3 does.
func failS3(w http.ResponseWriter, f fault) {
	w.Header().Set("Content-Type", "application/xml")
	status, code := http.StatusInternalServerError, "InternalError"
	if f == throttling {
		status, code = http.StatusServiceUnavailable, "SlowDown"
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>failed</Message></Error>`, code)
}
