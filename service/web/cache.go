package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/sync/singleflight"
)

const (
	// cachedFor is how long a page is shown again without asking the stores. A
	// change is seen by others within two seconds: this one, and the moments
	// that an index takes.
	cachedFor = time.Second
	// cachedPages is how many pages are kept at most, some 40 kB each.
	cachedPages = 256
)

// kept keeps values for a while, so that many who want one cost the stores no more
// than one.
type kept[K comparable, V any] struct {
	values  *expirable.LRU[K, V]
	flights singleflight.Group
}

func newKept[K comparable, V any](most int, length time.Duration) *kept[K, V] {
	return &kept[K, V]{values: expirable.NewLRU[K, V](most, nil, length)}
}

// pages are kept for a moment.
type pages = kept[pageKey, *page]

// pageKey is what a page depends on: its address, and who reads it and how.
type pageKey struct {
	address, account string
	readOnly         bool
}

// page is a rendered one, as it is and compressed.
type page struct {
	plain  variant
	zip    sync.Once
	zipped variant
}

// variant is a page in one encoding, with the values of its headers as net/http
// keeps them.
type variant struct {
	body   []byte
	etag   []string
	length []string
}

func newVariant(body []byte, tag string) variant {
	return variant{body, []string{`"` + tag + `"`}, []string{strconv.Itoa(len(body))}}
}

// get returns the value under key, made at most once at a time.
func (k *kept[K, V]) get(ctx context.Context, key K, produce func(context.Context) (V, error)) (V, error) {
	if value, ok := k.values.Get(key); ok {
		return value, nil
	}
	var none V
	flight := k.flights.DoChan(fmt.Sprintf("%#v", key), func() (made any, err error) {
		// Beyond the request's own goroutine a panic would end the process.
		defer func() {
			if p := recover(); p != nil {
				err = panicError(p)
			}
		}()
		// It goes on when the first of those who wait for it has gone.
		ctx, cancel := forEverybody(ctx)
		defer cancel()
		value, err := produce(ctx)
		if err != nil {
			return nil, err
		}
		k.values.Add(key, value)
		return value, nil
	})
	waiting, answered := within(ctx)
	defer answered()
	select {
	case <-waiting.Done():
		return none, waiting.Err()
	case result := <-flight:
		if result.Err != nil {
			return none, result.Err
		}
		return result.Val.(V), nil
	}
}

func newPage(body []byte) *page {
	sum := sha256.Sum256(body)
	return &page{plain: newVariant(body, base64.RawURLEncoding.EncodeToString(sum[:12]))}
}

// compressed is the page compressed, which is done once.
func (p *page) compressed() *variant {
	p.zip.Do(func() { p.zipped = newVariant(zip(p.plain.body), strings.Trim(p.plain.etag[0], `"`)+"-gzip") })
	return &p.zipped
}

// cached answers with the page at an address, which render makes. One who just
// changed something, or is told that they did, gets a page of their own.
func (s *Server) cached(w http.ResponseWriter, r *http.Request, address string, render func(context.Context) ([]byte, error)) error {
	if len(recent(r)) > 0 || hasFlash(r.Context()) {
		body, err := render(r.Context())
		if err != nil {
			return err
		}
		return newPage(body).serve(w, r)
	}
	key := pageKey{address, accountOf(r.Context()), isReadOnly(r.Context())}
	if p, ok := s.pages.values.Get(key); ok {
		return p.serve(w, r)
	}
	p, err := s.pages.get(r.Context(), key, func(ctx context.Context) (*page, error) {
		body, err := render(ctx)
		if err != nil {
			return nil, err
		}
		return newPage(body), nil
	})
	if err != nil {
		return err
	}
	return p.serve(w, r)
}

var (
	htmlType     = []string{"text/html; charset=utf-8"}
	askEachTime  = []string{"private, no-cache"}
	variesCookie = []string{"Cookie, Accept-Encoding"}
)

// serve writes the page, or that the client has it.
func (p *page) serve(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	sent := &p.plain
	if len(sent.body) >= zippedFrom && takesGzip(r) {
		sent = p.compressed()
		h["Content-Encoding"] = gzipEncoding
	}
	h["Cache-Control"], h["Vary"], h["Etag"] = askEachTime, variesCookie, sent.etag
	if tags := r.Header["If-None-Match"]; len(tags) > 0 && hasTag(tags[0], sent.etag[0]) {
		delete(h, "Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h["Content-Type"], h["Content-Length"] = htmlType, sent.length
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(sent.body)
	return err
}
