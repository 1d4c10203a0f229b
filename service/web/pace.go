package web

import (
	"io"
	"net/http"
	"time"
)

const (
	// ReadTimeout is how long a client may take to send a request, and as long
	// again as what it sent takes at slowest.
	ReadTimeout = 60 * time.Second
	// AnswerTimeout is how long an answer may take from then on: one that says that
	// the request came too slowly, too.
	AnswerTimeout = 30 * time.Second
	// slowest is how many bytes a second a client sends at least: the largest photo
	// takes eleven minutes.
	slowest = 16 << 10
	// postponeEvery is how far apart two settings of a deadline are at least.
	postponeEvery = time.Second
)

// pacedBody is a request's body that may take the longer the more there is of it:
// the deadlines of the connection are put off as it comes in.
type pacedBody struct {
	io.ReadCloser
	connection *http.ResponseController
	start      time.Time
	read       int64
	deadline   time.Time
}

func paced(w http.ResponseWriter, r *http.Request) io.ReadCloser {
	now := time.Now()
	return &pacedBody{
		ReadCloser: r.Body, connection: http.NewResponseController(w),
		start: now, deadline: now.Add(ReadTimeout),
	}
}

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	deadline := b.start.Add(ReadTimeout + time.Duration(b.read)*time.Second/slowest)
	if deadline.Sub(b.deadline) >= postponeEvery {
		b.deadline = deadline
		// A connection without deadlines, as of a test, needs none put off.
		_ = b.connection.SetReadDeadline(deadline)
		_ = b.connection.SetWriteDeadline(deadline.Add(AnswerTimeout))
	}
	return n, err
}
